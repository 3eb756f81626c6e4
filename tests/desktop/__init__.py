"""Mail programs with windows, on a screen of their own: ``make test-desktop``."""
