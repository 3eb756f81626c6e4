"""``mektup check``: checks accounts and their directory, while servers use them or not."""

from mektup.cli.check.command import register

__all__ = ["register"]
