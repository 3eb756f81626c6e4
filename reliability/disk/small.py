"""The store's bounds made small, so that a little mail reaches checkpoints, a WAL that starts over, and free pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

_PLACE = "mektup.store.sqlite"

_SMALL = {
    f"{_PLACE}.file.checkpoints.CHECKPOINT_PAGES": 24,
    f"{_PLACE}.file.checkpoints.RESTART_PAGES": 96,
    f"{_PLACE}.file.checkpoints.USUAL_WAL_BYTES": 128 * 4096,
    f"{_PLACE}.file.free_pages.SPARE_PAGES": 4,
    f"{_PLACE}.file.free_pages.STEP_PAGES": 8,
    f"{_PLACE}.tables.known_modseqs.WRITTEN_SECONDS": 0.002,
    f"{_PLACE}.file.wal_sync.MENDING_SECONDS": 0.0,
}


@contextmanager
def small_bounds() -> Iterator[None]:
    """Applies them to stores that are opened meanwhile."""
    with ExitStack() as stack:
        for name, value in _SMALL.items():
            stack.enter_context(patch(name, value))
        yield
