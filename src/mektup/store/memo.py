"""What a process remembers of the mail: each thing as of a stamp, all things together within one budget of octets.

Reading a mailbox's flags, sort keys or UIDs again for each command would be slow. So they are remembered as of a
modseq, and answers to small queries as of the state of a file. Whoever uses something compares its stamp, and follows
the changes since or reads it anew. So an answer is never stale, and anything may be forgotten at any time.

When the octets pass the budget, the least recently used things of all accounts are forgotten. A memo belongs to one
owner, such as an open account; what is in it is forgotten after its owner.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from sys import getsizeof
from threading import Lock
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")
P = ParamSpec("P")

MOST = 512
"""How many answers are remembered for each database."""

ANSWER_OCTETS: Final = 300
"""The approximate memory, in octets, of a remembered answer in addition to the answer and its arguments."""

SLACK_OCTETS: Final = 2048
"""How many octets too many may be counted for the answers of a database, so that few answers change the count."""

THING_OCTETS: Final = 400
"""The approximate memory, in octets, of a remembered thing in addition to its value."""


class MemoKind(Enum):
    """What is remembered. The values are labels in the metrics."""

    ANSWERS = "answers"
    """Answers to small queries, as of the state of a file."""
    UIDS = "uids"
    """The UIDs of a mailbox, as of a modseq."""
    FLAGS = "flags"
    """The flags of a mailbox's messages, as of a modseq."""
    BLOCKS = "blocks"
    """Blocks of the flags and facts of a mailbox's messages, each as of a modseq."""
    SORT_KEYS = "sort_keys"
    """The sort and thread keys of a mailbox's messages, as of a modseq."""


@dataclass(slots=True)
class Counts:
    """The figures of one kind."""

    hits: int = 0
    """How often a remembered thing was used. May be a little low, because threads count without a lock."""
    misses: int = 0
    """How often nothing was remembered, or nothing that could be used."""
    octets: int = 0
    """The approximate memory of what is remembered now."""


@dataclass(slots=True, eq=False)
class _Thing(Generic[K, V]):
    """A remembered thing."""

    key: K
    value: V
    octets: int
    things: dict[K, _Thing[K, V]]
    """All things of its memo."""
    counts: Counts
    used: bool = False
    """Whether it was used since it was last looked at for being forgotten; costs less than moving it at each use."""


class Memory:
    """All memos of a process, with one budget. For any thread."""

    def __init__(self, octets: int) -> None:
        """*octets* is the budget."""
        self._most = octets
        self._octets = 0
        self._counts = {kind: Counts() for kind in MemoKind}
        self._order: OrderedDict[_Thing[Any, Any], None] = OrderedDict()
        """The least recently used first, except for those that are ``used``."""
        self._things: dict[object, dict[Any, _Thing[Any, Any]]] = {}
        """The things of each memo, by a weak reference to the memo."""
        self._ended: deque[object] = deque()
        """References to memos that are gone. Their callback may run at any point of any thread, so it takes no lock."""
        self._lock = Lock()

    def counts(self) -> Mapping[MemoKind, Counts]:
        """The figures of each kind."""
        with self._lock:
            self._forget_ended()
        return self._counts

    def _put(self, memo: Memo[K, V], key: K, value: V, octets: int) -> None:
        with self._lock:
            if self._ended:
                self._forget_ended()
            thing = memo._things.get(key)
            if octets > self._most:
                # it would push out everything else
                if thing is not None:
                    self._forget(thing)
                return
            if thing is None:
                self._things[memo._reference] = memo._things
                thing = memo._things[key] = _Thing(key, value, 0, memo._things, memo.counts)
                self._order[thing] = None
            else:
                thing.value = value
                thing.used = True
            self._count(thing, octets - thing.octets)
            while self._octets > self._most:
                oldest = next(iter(self._order))
                if oldest.used:
                    oldest.used = False
                    self._order.move_to_end(oldest)
                else:
                    self._forget(oldest)

    def _count(self, thing: _Thing[Any, Any], octets: int) -> None:
        thing.octets += octets
        thing.counts.octets += octets
        self._octets += octets

    def _forget(self, thing: _Thing[Any, Any]) -> None:
        del thing.things[thing.key], self._order[thing]
        self._count(thing, -thing.octets)

    def _forget_ended(self) -> None:
        # a forgotten value may hold the last reference to another memo, which is then forgotten as well
        while self._ended:
            self._forget_all(self._things.pop(self._ended.popleft(), {}))

    def _forget_all(self, things: dict[Any, _Thing[Any, Any]]) -> None:
        for thing in tuple(things.values()):
            self._forget(thing)


class Memo(Generic[K, V]):
    """What one owner remembers of one kind, by a key. For any thread."""

    __slots__ = ("__weakref__", "_memory", "_reference", "_things", "counts")

    def __init__(self, memory: Memory, kind: MemoKind) -> None:
        self._memory = memory
        self._reference = weakref.ref(self, memory._ended.append)
        hash(self._reference)  # a reference keeps its hash, but cannot compute it after the memo is gone
        self._things: dict[K, _Thing[K, V]] = {}
        self.counts = memory._counts[kind]

    def get(self, key: K) -> V | None:
        """The value for *key*, which counts as a hit; None, and a miss, where nothing is remembered."""
        value = self.peek(key)
        if value is None:
            self.counts.misses += 1
        else:
            self.counts.hits += 1
        return value

    def peek(self, key: K) -> V | None:
        """Like ``get``, but the caller counts, because only it knows whether it can use the value."""
        thing = self._things.get(key)
        if thing is None:
            return None
        thing.used = True
        return thing.value

    def put(self, key: K, value: V, octets: int) -> None:
        """Remembers *value*, which takes about so many *octets*, in place of an earlier value for *key*.

        Forgets the least recently used things, of any owner and kind, above the budget.
        """
        self._memory._put(self, key, value, octets + THING_OCTETS)


class Readable(Protocol[C_co]):
    """A database that can be read; C is the argument of a query, such as a connection."""

    def state(self) -> bytes | None:
        """Octets that differ after every commit by any process; None where they are not known."""

    def read(self, ask: Callable[Concatenate[C_co, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """The result of the query *ask*."""


@dataclass(slots=True)
class _Answers:
    """The answers at one state of a database."""

    state: bytes
    found: dict[Hashable, Any] = field(default_factory=dict)
    octets: int = 0
    counted: int = 0
    """The octets that the memo counts, which may be SLACK_OCTETS more."""


class Recall(Generic[C]):
    """Remembers the answers of a database, which stay valid until somebody commits.

    Clients repeat the same small queries while their mail does not change: a NOOP each minute, a round of STATUS, a
    SELECT of the same mailbox. An engine can check cheaply that nothing was committed; then the remembered answer is
    still right.
    """

    __slots__ = ("_counts", "_database", "_memo", "_octets_of", "_things")

    def __init__(self, database: Readable[C], memory: Memory, octets_of: Callable[[object], int]) -> None:
        """*octets_of* estimates the memory of an answer."""
        self._database = database
        self._memo: Memo[None, _Answers] = Memo(memory, MemoKind.ANSWERS)
        self._counts = self._memo.counts
        self._things = self._memo._things
        self._octets_of = octets_of

    async def read(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the query *ask*, which must depend only on *args*; these are hashable.

        Callers share the result, so they must not change it.
        """
        key = ask, args
        state = self._database.state()
        # as ``Memo.peek``, without a call, because every NOOP comes here
        thing = self._things.get(None)
        if thing is not None and thing.value.state == state:
            found: T | None = thing.value.found.get(key)
            if found is not None:
                thing.used = True
                self._counts.hits += 1
                return found
        self._counts.misses += 1
        found = await self._database.read(ask, *args, **kwargs)
        # compared again, because somebody may have committed before the read
        if state is not None and found is not None and self._database.state() == state:
            answers = _Answers(state) if thing is None else thing.value
            if answers.state != state or len(answers.found) >= MOST:
                answers.state, answers.octets = state, 0
                answers.found.clear()
            answers.found[key] = found
            answers.octets += self._octets_of(found) + sum(map(getsizeof, args)) + ANSWER_OCTETS
            # not for each answer, because after a commit the same answers are soon there again
            if not answers.octets <= answers.counted <= answers.octets + SLACK_OCTETS:
                answers.counted = answers.octets + SLACK_OCTETS // 2
                self._memo.put(None, answers, answers.counted)
        return found
