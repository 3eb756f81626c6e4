"""Records faults of the machine: each is logged, counted by kind, and shown by ``/health`` while it lasts.

A full disk is over when there is room again, and a read-only one when it can be written; ``trouble`` checks that each
time it is called. It also sees that a disk was made read-only before anything is refused. Damage lasts until a restart,
because somebody has to repair it. Any other fault lasts for LASTS_SECONDS after it last happened, as a disk that failed
once may fail again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from structlog.typing import FilteringBoundLogger

from mektup.store.faults import Fault, Kind
from mektup.store.sqlite.file.reserve import Reserve

LOG_SECONDS = 60.0
"""A fault of one kind is logged once in so many seconds; a kind that concerns one file, once for each file. The others
are only counted."""

LASTS_SECONDS = 300.0
"""How long ``/health`` shows a fault after it last happened."""

MOST_FILES = 5
"""The most files that ``/health`` names for a kind."""

MOST_LOGGED = 100
"""The most pairs of kind and file that are remembered for the log."""

_OF_ONE_FILE = frozenset(
    {Kind.DAMAGED, Kind.CUT_OFF, Kind.DENIED, Kind.NEWER, Kind.FAILED, Kind.OBJECTS, Kind.LOST, Kind.OTHER}
)
"""Kinds that concern one file or place. The others concern the whole disk or the process."""

_UNTOLD = frozenset({Kind.OTHER})
"""Kinds that are logged and counted but not shown by ``/health``, such as a file that was removed."""


class FaultBook:
    """The ``store.faults.Faults`` of one process. Use it only in the event loop's thread."""

    def __init__(
        self, log: FilteringBoundLogger, reserve: Reserve, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._reserve = reserve
        self._clock = clock
        self._counts = dict.fromkeys(Kind, 0)
        self._logged: dict[tuple[Kind, str], float] = {}
        """By kind and file, the oldest first."""
        self._passed_over: dict[Kind, int] = {}
        self._lasting: dict[Kind, dict[str, tuple[float, Fault]]] = {}
        """By kind and file: when the fault happened last, and the fault."""

    def happened(self, fault: Fault) -> None:
        """See ``store.faults.Faults``."""
        now = self._clock()
        kind = fault.kind
        self._counts[kind] += 1
        if fault.lasts and kind not in _UNTOLD:
            files = self._lasting.setdefault(kind, {})
            files.pop(fault.file, None)
            files[fault.file] = now, fault
            while len(files) > MOST_FILES:
                del files[next(iter(files))]
        if not self._may_be_logged(kind, fault.file if kind in _OF_ONE_FILE else "", now):
            self._passed_over[kind] = self._passed_over.get(kind, 0) + 1
            return
        more = {"passed_over": passed_over} if (passed_over := self._passed_over.pop(kind, 0)) else {}
        self._log.error(
            "store_fault", kind=kind.label, account=fault.account, file=fault.file, reason=str(fault.reason), **more
        )

    def _may_be_logged(self, kind: Kind, file: str, now: float) -> bool:
        while self._logged and now - next(iter(self._logged.values())) >= LOG_SECONDS:
            del self._logged[next(iter(self._logged))]
        if (kind, file) in self._logged or len(self._logged) >= MOST_LOGGED:
            return False
        self._logged[kind, file] = now
        return True

    def counts(self) -> dict[str, int]:
        """The number of faults so far, by the label of the kind."""
        return {kind.label: count for kind, count in self._counts.items()}

    def trouble(self) -> str | None:
        """What is wrong now, as text; None if nothing is."""
        self._forget_what_is_over()
        words = [self._words_of(kind) for kind in self._lasting]
        if Kind.FULL not in self._lasting and self._reserve.is_short and not self._reserve.has_room():
            words.append(f"store: {Kind.FULL.text}: {self._reserve}")
        if Kind.READ_ONLY not in self._lasting and self._reserve.is_read_only:
            words.append(f"store: {Kind.READ_ONLY.text}: {self._reserve}")
        return "; ".join(words) or None

    def _words_of(self, kind: Kind) -> str:
        now = self._clock()
        told = [f"{fault} ({now - when:.0f} s ago)" for when, fault in reversed(self._lasting[kind].values())]
        return f"store: {kind.text}: {', '.join(told)}"

    def _forget_what_is_over(self) -> None:
        now = self._clock()
        for kind in (Kind.FULL, Kind.READ_ONLY):
            if kind in self._lasting and self._reserve.has_room() and _can_be_written(self._lasting[kind]):
                del self._lasting[kind]
                self._log.info("store_fault_over", kind=kind.label)
        for kind in tuple(self._lasting):
            if kind in (Kind.FULL, Kind.DAMAGED):
                continue
            files = self._lasting[kind]
            for file in [file for file, (when, _) in files.items() if now - when >= LASTS_SECONDS]:
                del files[file]
            if not files:
                del self._lasting[kind]


def _can_be_written(files: Iterable[str]) -> bool:
    """Whether no file of *files* is read-only by its own mode; a file that is gone does not count."""
    return all(os.access(file, os.W_OK) or not os.path.exists(file) for file in files)
