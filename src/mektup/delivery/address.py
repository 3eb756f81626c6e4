"""The address of a sender or a recipient, from the envelope."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_QUOTED_SPECIALS = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Address:
    """The two parts of an address."""

    local: str
    """Unquoted."""
    domain: str
    """Empty where there is none, as for ``<postmaster>``."""

    def __str__(self) -> str:
        """As in RFC 5321 §4.1.2, without angle brackets; the local part in quotes if it needs them."""
        return _written(self.local, self.domain)


@lru_cache(256)
def _written(local: str, domain: str) -> str:
    # cached, because each recipient is written several times
    if not _DOT_STRING.fullmatch(local):
        local = '"' + _QUOTED_SPECIALS.sub(r"\\\g<0>", local) + '"'
    return f"{local}@{domain}" if domain else local
