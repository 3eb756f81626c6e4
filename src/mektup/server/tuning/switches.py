"""Switches for the unusual optimizations of mektup: the ``[tuning]`` table of the configuration file.

Each one works without the others, and a server works without any. Switch one off if you suspect it of a fault, or if a
later Python or system makes it needless. docs/decisions gives the reason for each.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Read when a process starts. docs/configuration.md says what each one gains."""

    busy_poll: bool = True
    """The event loop polls for a moment before it sleeps, where clients are quick. See ``busy_poll``."""
    inline_wakeup: bool = True
    """A session goes on in the round of the event loop in which its octets come. See ``inline_wakeup``."""
    freeze_objects: bool = True
    """Objects that outlive a full garbage collection are not examined again. See ``garbage``."""
    trim_memory: bool = True
    """Memory of closed files goes back to the system at once. See ``malloc_trim``."""


DEFAULT_TUNING = Tuning()
