"""``mektup backup`` and its subcommands: make, list, check and thin out backups of a running server."""

from mektup.cli.backup.command import register

__all__ = ["register"]
