"""What a workload did, and when: by this a state of the disk after a loss of power is judged.

The changes of one file are on disk in their order or not at all, so a state is right if it is that after one of the
changes: not before the last one that was acknowledged as durable, and not after the last one that had begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from mektup.terms.numbers import AccountId
from reliability.disk.pictures import Picture

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Moment(Generic[S]):
    """The state after one change."""

    what: str
    begun: int
    """The event of the recording at which the change began, at the earliest."""
    visible: int
    """The event from which others could see it."""
    acknowledged: int
    """The event before which the caller was told that it is done."""
    is_durable: bool
    state: S


@dataclass(slots=True)
class History(Generic[S]):
    """The states of one file, in order."""

    moments: list[Moment[S]] = field(default_factory=list)
    earlier: list[Moment[S]] = field(default_factory=list)
    """What clients have seen before the recording."""
    doubts: list[tuple[int, int]] = field(default_factory=list)
    """From the begin of a change whose sync failed to the end of the next one that is on disk: in between, nobody was
    told what there is. If the second is 0, there was none."""

    def is_doubtful(self, point: int) -> bool:
        """Whether a loss of power at the event *point* may leave a state that is not in ``moments``."""
        return any(begun < point and (not ended or point < ended) for begun, ended in self.doubts)

    def possible(self, point: int) -> Sequence[Moment[S]]:
        """The states that a loss of power at the event *point* may leave."""
        first = last = 0
        for at, moment in enumerate(self.moments):
            if moment.acknowledged <= point and moment.is_durable:
                first = at
            if moment.begun < point:
                last = at
        return self.moments[first : last + 1]

    def seen(self, point: int) -> Iterator[Moment[S]]:
        """The states that a client may have seen until the event *point*."""
        yield from self.earlier
        yield from (moment for moment in self.moments if moment.visible <= point)


Names = Mapping[str, tuple[AccountId, str]]
"""The ID and the password of each account, by name."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup, or a data directory restored from one."""

    path: str
    """Relative to the root."""
    begun: int
    acknowledged: int | None
    pictures: Mapping[str, Picture]
    """What it has, by the account's name."""
    is_restored: bool


@dataclass(slots=True)
class Journal:
    """All of it."""

    names: History[Names] = field(default_factory=History)
    accounts: dict[AccountId, History[Picture]] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    pair: tuple[int, bytes] | None = None
    """The server's certificate, and the event before which it was made."""
    steps: int = 0
    done: dict[str, int] = field(default_factory=dict)
    """How often each kind of operation was acknowledged."""

    def count(self, what: str) -> None:
        """Counts an acknowledged operation."""
        self.done[what] = self.done.get(what, 0) + 1


DATA = Path("data")
"""The data directory, relative to the root."""
