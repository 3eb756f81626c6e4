"""A layer between the store and the disk, in-process, for tests.

``layer`` stands under SQLite (as a VFS) and under the functions of ``os`` that mektup calls. It records each write,
sync, and change of a name in order (``recording``), and can let any of them fail. ``image`` makes the states of a disk
that a loss of power at some point of a recording may leave.
"""
