"""``mektup demo``: a server to play with, in memory, with an account and a few messages."""

from mektup.cli.demo.command import register

__all__ = ["register"]
