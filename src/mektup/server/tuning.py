"""Switches for what mektup does to be quick in unusual ways: the ``[tuning]`` table of the configuration file.

Each piece is right without the others, and a server is right without any. They can be switched off where one of them
is suspected of something, or where a later Python or system makes it needless; docs/decisions says why each is there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Read when a process starts. See docs/configuration.md for what each gives."""

    busy_poll: bool = True
    """``busy_poll``: the event loop stays awake for a moment where clients are quick."""
    inline_wakeup: bool = True
    """``inline_wakeup``: a session goes on in the same round of the event loop in which its octets come."""
    freeze_objects: bool = True
    """``garbage``: what outlives a full search for garbage is not searched again."""
    trim_memory: bool = True
    """What closed files leave is given back to the system at once."""


DEFAULT_TUNING = Tuning()
