"""Fetches a small file from a URL, within bounds."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import time
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO

MOST_BYTES = 256 * 1024
FETCH_SECONDS = 10.0
"""How long a fetch may take."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The file is where the operator has said."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follows nothing."""
        return


def is_url(place: str) -> bool:
    """Whether *place* is a URL, and not a file."""
    return "://" in place


def may_be_fetched(url: str) -> bool:
    """Whether *url* is safe to use: only TLS shows who answers, except on this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    with contextlib.suppress(ValueError):
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    return False


def read(place: str) -> bytes:
    """The octets of *place*, a file or a URL, MOST_BYTES at most.

    Takes FETCH_SECONDS, or a little more. Raises OSError, ValueError, http.client.HTTPException.
    """
    if not is_url(place):
        with Path(place).open("rb") as file:
            return _bounded(file.read(MOST_BYTES + 1))
    ends = time.monotonic() + FETCH_SECONDS
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(_NoRedirect(), secure)
    with opener.open(place, timeout=FETCH_SECONDS / 2) as response:
        octets = b""
        while piece := response.read1(MOST_BYTES):
            octets = _bounded(octets + piece)
            if time.monotonic() > ends:
                raise TimeoutError("the server is too slow")
        return octets


def _bounded(octets: bytes) -> bytes:
    if len(octets) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} octets")
    return octets
