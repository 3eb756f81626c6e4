"""Kills a server at random moments while clients use it, and holds what it stores against a journal.

python -m reliability.crash --kills 1000 --seed 1
"""
