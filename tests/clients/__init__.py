"""Real clients against a real server: ``make test-clients``."""
