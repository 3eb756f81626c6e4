"""Keeps Python's garbage collector from stopping the server.

A full collection examines every object: with 5,000 sessions it takes 200 ms, and nobody is served meanwhile. It looks
for objects that only a cycle keeps alive. But an object that outlives one collection is code, or belongs to a session
or an account, and sessions and accounts end without a cycle. So each object is examined once, and then frozen. And full
collections come often, so that each has few objects to examine.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping

FULL = 2
"""The generation of a full collection."""

OBJECTS = 700
"""With more new objects than this, the youngest generation is collected. This is Python's default."""

YOUNGEST, YOUNG = 10, 1
"""After more collections of a generation than this, the next one is collected too: after some 15,000 new objects."""


def search_each_object_once() -> None:
    """From now on the objects that exist, and those that outlive a full collection, are not examined again.

    Changes the whole process. May be called twice.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS, YOUNGEST, YOUNG)
    if _leave_alone not in gc.callbacks:
        gc.callbacks.append(_leave_alone)


def _leave_alone(phase: str, what: Mapping[str, int]) -> None:
    if phase == "stop" and what["generation"] == FULL:
        gc.freeze()
