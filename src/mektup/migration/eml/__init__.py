"""Folders with a file for each message, ``.eml``."""
