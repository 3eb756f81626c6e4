"""Keeps Python's search for garbage from stopping the server.

A full search passes over every object there is: with five thousand sessions that is a fifth of a second in which nobody
is served. It looks for what only cycles hold; but whatever outlives one search is code, a session or an account, and
sessions and accounts end without a cycle. So each object is passed over once, and then left alone until it ends. And
full searches come often, so that each has little to pass over.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping

FULL = 2
"""The generation of a full search."""

OBJECTS = 700
"""More of them, made and not ended, are searched as the youngest generation: Python's own choice."""

YOUNGEST, YOUNG = 10, 1
"""After more searches than these of each generation, the next one is searched too: some 15,000 objects in all."""


def search_each_object_once() -> None:
    """From now on what outlives a full search is not searched again, as is all that is there now. For whole processes.

    May be called twice.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS, YOUNGEST, YOUNG)
    if _leave_alone not in gc.callbacks:
        gc.callbacks.append(_leave_alone)


def _leave_alone(phase: str, what: Mapping[str, int]) -> None:
    if phase == "stop" and what["generation"] == FULL:
        gc.freeze()
