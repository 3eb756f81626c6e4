"""Mektup: an IMAP server, with LMTP and POP3 beside it. ``Server`` is the interface for programs that embed it.

from mektup import Server

with Server(users={"linda": "Pa$$123"}).in_thread() as server:
    server.deliver("linda", "Subject: hello\\n\\nWorld\\n")
    client = imaplib.IMAP4(*server.address("imap"))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mektup.server.app import Server, ThreadedServer
    from mektup.server.config import ConfigError
    from mektup.terms.delivery import DeliveryRules
    from mektup.terms.errors import Refused
    from mektup.terms.limits import Limits

    __version__: str

__all__ = ["ConfigError", "DeliveryRules", "Limits", "Refused", "Server", "ThreadedServer", "__version__"]

_HOMES = {
    "ConfigError": "mektup.server.config",
    "DeliveryRules": "mektup.terms.delivery",
    "Limits": "mektup.terms.limits",
    "Refused": "mektup.terms.errors",
    "Server": "mektup.server.app",
    "ThreadedServer": "mektup.server.app",
}


def __getattr__(name: str) -> Any:
    # Imports on demand, so that a command that only prints its help does not load the whole server.
    if name == "__version__":
        found: Any = importlib.import_module("importlib.metadata").version("mektup")
    elif name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
