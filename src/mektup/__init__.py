"""Mektup: an IMAP server, with LMTP and POP3 beside it. ``Server`` is the face for programs that embed one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mektup.server.app import Server

__all__ = ["Server"]


def __getattr__(name: str) -> Any:
    # whoever wants one room, a command that prints its help among them, need not wait for the whole house
    if name == "Server":
        return importlib.import_module("mektup.server.app").Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
