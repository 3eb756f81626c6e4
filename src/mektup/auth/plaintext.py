"""Where a password may cross an unencrypted connection: apart, as the configuration names it and needs nothing else."""

from __future__ import annotations

from enum import Enum


class Plaintext(Enum):
    """NEVER is what RFC 9051 §11.7 wants to be possible."""

    LOOPBACK = "loopback"
    ALWAYS = "always"
    NEVER = "never"
