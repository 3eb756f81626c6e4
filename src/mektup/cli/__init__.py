"""The mektup command, one file per subcommand."""

from mektup.cli.main import main

__all__ = ["main"]
