"""``mektup dns``: what programs find out by themselves: DNS records, and settings for mail programs."""

from mektup.cli.dns.command import register

__all__ = ["register"]
