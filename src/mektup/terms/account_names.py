"""Which account names are allowed: those that people can type and mail can reach."""

from __future__ import annotations

import re
import unicodedata

from mektup.terms import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text

LONGEST_ACCOUNT_NAME_OCTETS = 255
"""In UTF-8. An address of SMTP has at most 254 octets (RFC 5321 §4.5.3.1.3, with its angle brackets)."""

_SPECIALS = re.compile(r'["(),/:;<>\[\\\]]')
"""The specials of RFC 5322 §3.2.3 except "." and "@"; and "/"."""

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Format characters that words of Persian and of Indic scripts need (RFC 5892, appendices A.1 and A.2)."""


def require_account_name(name: str) -> None:
    """Raises Refused(CANNOT), with the reason, if *name* is not allowed as an account name."""
    reason = objection_to_address(name)
    if reason:
        raise Refused(Code.CANNOT, texts.NO_ACCOUNT_NAME.of(name=shown(name), reason=reason))


def objection_to_address(name: str) -> Text | None:
    """The reason why *name* is not allowed for an account or an alias; None if it is."""
    user, at, domain = name.partition("@")
    if not user:
        return texts.NAME_EMPTY if not at else texts.NAME_BEGINS_WITH_AT
    for character in name:
        reason = _objection_to(character)
        if reason:
            return reason
    if len(name.encode()) > LONGEST_ACCOUNT_NAME_OCTETS:
        return texts.NAME_TOO_LONG.of(octets=LONGEST_ACCOUNT_NAME_OCTETS)
    if name.startswith("-"):
        return texts.NAME_LIKE_AN_OPTION
    if not user.strip("."):
        return texts.NAME_ONLY_DOTS
    return _objection_to_labels(domain) if at else None


def objection_to_domain(domain: str) -> Text | None:
    """The reason why *domain* is not allowed in an address; None if it is."""
    domain = domain.removesuffix(".")
    for character in domain:
        reason = _objection_to(character)
        if reason:
            return reason
    if len(domain.encode()) > LONGEST_ACCOUNT_NAME_OCTETS:
        return texts.NAME_TOO_LONG.of(octets=LONGEST_ACCOUNT_NAME_OCTETS)
    return _objection_to_labels(domain) or (texts.NAME_LIKE_AN_OPTION if domain.startswith("-") else None)


def _objection_to(character: str) -> Text | None:
    category = unicodedata.category(character)
    if category.startswith("Z"):
        return texts.NAME_WITH_SPACE
    if category in ("Cc", "Cs") or (category == "Cf" and character not in _JOINERS):
        return texts.NAME_WITH_INVISIBLE.of(character=f"U+{ord(character):04X}")
    if _SPECIALS.match(character):
        return texts.NAME_WITH.of(character=character)
    return None


def _objection_to_labels(domain: str) -> Text | None:
    if "@" in domain:
        return texts.NAME_WITH_TWO_AT
    if not all(domain.split(".")):
        return texts.NAME_WITHOUT_DOMAIN
    return None


def shown(name: str) -> str:
    """*name* for messages: on one line, cut to 40 characters, escaped if it holds unprintable characters."""
    short = name if len(name) <= 40 else f"{name[:40]}..."
    return short if short.isprintable() and short else ascii(short)
