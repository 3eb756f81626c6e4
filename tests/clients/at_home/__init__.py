"""The page docs/at-home.md, followed on a Debian of its own."""
