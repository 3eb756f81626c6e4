"""Which domains are equal, and how one may be spelled: with letters of any script, or with labels in ASCII."""

from __future__ import annotations

import unicodedata

ASCII_FORM = "xn--"
"""The beginning of a label that encodes letters beyond ASCII (RFC 5890 §2.3.2.1)."""
LONGEST_LABEL = 63
"""RFC 1035 §2.3.4."""


def domain_key(domain: str) -> str:
    """The form in which domains are stored and compared: Unicode in NFC, case-folded, without a dot at the end."""
    if domain.isascii() and ASCII_FORM not in (lower := domain.lower()):
        # most domains; the steps below would change nothing more
        return lower.removesuffix(".")
    domain = unicodedata.normalize("NFC", domain).removesuffix(".")
    if not domain.isascii() or ASCII_FORM in domain.lower():
        domain = ".".join(map(_unicode_label, domain.split(".")))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", domain).casefold())


def ascii_domain(domain: str) -> str:
    """*domain* as the DNS has it, with labels in ASCII."""
    return ".".join(map(_ascii_label, domain.split(".")))


def spellings(domain: str) -> list[str]:
    """*domain* as given, and with its internationalised labels in both forms (RFC 5890 §2.3.2.1)."""
    # A dot at the end, for the root (RFC 1035 §3.1), is not valid in an address, but means the same domain.
    domain = unicodedata.normalize("NFC", domain).removesuffix(".")
    if not domain:
        return []
    if domain.isascii() and ASCII_FORM not in domain.lower():
        return [domain]
    labels = domain.split(".")
    forms = (labels, map(_unicode_label, labels), map(_ascii_label, labels))
    return list(dict.fromkeys(".".join(form) for form in forms))


def _unicode_label(label: str) -> str:
    if len(label) > LONGEST_LABEL or not label.isascii() or not label.lower().startswith(ASCII_FORM):
        return label
    try:
        decoded = label[len(ASCII_FORM) :].encode().decode("punycode")
    except UnicodeError:
        return label
    return decoded if decoded.isprintable() else label


def _ascii_label(label: str) -> str:
    if len(label) > LONGEST_LABEL or label.isascii():
        return label
    return ASCII_FORM + label.lower().encode("punycode").decode()
