"""``mektup init``: makes a server of this machine: a user, a configuration, a unit of systemd, and what comes next."""

from mektup.cli.init.command import register

__all__ = ["register"]
