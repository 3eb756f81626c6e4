"""Which account a client's certificate names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any


class ClientName(Enum):
    """Where in a certificate the name of the account is."""

    CN = "cn"
    """The common name of the subject."""
    EMAIL = "email"
    """The first rfc822Name of subjectAltName (RFC 5280 §4.2.1.6)."""


def name_in(certificate: Mapping[str, Any], where: ClientName) -> str | None:
    """The name in *certificate*, in the form of ``SSLObject.getpeercert``; None if there is none.

    Of several common names none counts, because it is not clear which one the issuer has checked.
    """
    if where is ClientName.EMAIL:
        return next((value for kind, value in certificate.get("subjectAltName", ()) if kind == "email"), None)
    names = list(_common_names(certificate))
    return names[0] if len(names) == 1 else None


def _common_names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for relative_name in certificate.get("subject", ()):
        for kind, value in relative_name:
            if kind == "commonName":
                yield value
