"""Which account names are allowed: those that people can type and mail can reach."""

from __future__ import annotations

import re
import unicodedata

from mektup.terms.errors import Code, Refused

LONGEST_ACCOUNT_NAME_OCTETS = 255
"""In UTF-8. An address of SMTP has at most 254 octets (RFC 5321 §4.5.3.1.3, with its angle brackets)."""

_SPECIALS = re.compile(r'["(),/:;<>\[\\\]]')
"""The specials of RFC 5322 §3.2.3 except "." and "@"; and "/"."""

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Format characters that words of Persian and of Indic scripts need (RFC 5892, appendices A.1 and A.2)."""


def require_account_name(name: str) -> None:
    """Raises Refused(CANNOT), with the reason, if *name* is not allowed as an account name."""
    reason = _objection(name)
    if reason:
        raise Refused(Code.CANNOT, f"{shown(name)} cannot be the name of an account: {reason}")


def _objection(name: str) -> str:
    """The reason why *name* is not allowed; empty if it is."""
    user, at, domain = name.partition("@")
    if not user:
        return "it is empty" if not at else 'it has no text before the "@"'
    for character in name:
        reason = _objection_to(character)
        if reason:
            return reason
    if len(name.encode()) > LONGEST_ACCOUNT_NAME_OCTETS:
        return f"it has more than {LONGEST_ACCOUNT_NAME_OCTETS} octets"
    if name.startswith("-"):
        return 'it begins with "-", like an option of a command'
    if not user.strip("."):
        return "it has only dots"
    return _objection_to_domain(domain) if at else ""


def _objection_to(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("Z"):
        return "it contains a space"
    if category in ("Cc", "Cs") or (category == "Cf" and character not in _JOINERS):
        return f"it contains an invisible character (U+{ord(character):04X})"
    if _SPECIALS.match(character):
        return f"it contains {character}"
    return ""


def _objection_to_domain(domain: str) -> str:
    if "@" in domain:
        return 'it has more than one "@"'
    if not all(domain.split(".")):
        return 'the text after the "@" is no domain'
    return ""


def shown(name: str) -> str:
    """*name* for messages: on one line, cut to 40 characters, escaped if it holds unprintable characters."""
    short = name if len(name) <= 40 else f"{name[:40]}..."
    return short if short.isprintable() and short else ascii(short)
