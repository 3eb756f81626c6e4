"""Where a password may be sent unencrypted. The configuration needs this, and nothing else of auth."""

from __future__ import annotations

from enum import Enum


class Plaintext(Enum):
    """RFC 9051 §11.7 requires that NEVER is possible."""

    LOOPBACK = "loopback"
    ALWAYS = "always"
    NEVER = "never"
