"""Stores mail: every acknowledged change is on disk, and every device is notified of it."""
