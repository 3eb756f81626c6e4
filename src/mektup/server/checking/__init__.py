"""Checks before the start, and while a server runs: what would stop it, and what will. Changes nothing."""
