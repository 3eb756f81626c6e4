"""Keeps mail, and its promises: what was acknowledged is on disk, and every device hears of it."""
