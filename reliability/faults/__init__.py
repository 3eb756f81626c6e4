"""Failing disks: lets each operation of a change fail in turn, and looks at what the store says, has and remembers.

``deeds`` has the changes, ``plans`` the ways in which a disk, a statement or the memory fails, and ``trial`` makes one
deed fail at one point and judges the outcome: OK means done, NO means unchanged, what the process remembers is what the
file has, and everything works again when the disk does.
"""
