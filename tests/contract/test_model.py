"""Any sequence of changes, compared with a naive mailbox: dictionaries that are counted each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mektup.store.columns import Column
from mektup.store.interface import Account, FlagOrder, Mailbox, Store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.search import WHOLE, All
from mektup.terms.sets import Uids
from tests.contract.engines import ENGINES, EXAMPLES, new_places, open_engine
from tests.contract.mail import fetched, incoming, raw

T = TypeVar("T")

NAMES = ("INBOX", "Archive")
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$A", "$B")
SIZES = (raw("short"), raw("longer", "x" * 500))

names = st.sampled_from(NAMES)
flag_sets = st.frozensets(st.sampled_from(FLAGS), max_size=3)
uid_sets = st.one_of(
    st.sets(st.integers(1, 30), max_size=6).map(lambda numbers: Uids.of(Uid(number) for number in numbers)),
    st.tuples(st.integers(1, 20), st.integers(0, 40)).map(lambda run: Uids.span(run[0], run[0] + run[1])),
)


def changed_flags(old: frozenset[str], change: FlagChange, flags: frozenset[str]) -> frozenset[str]:
    return {FlagChange.ADD: old | flags, FlagChange.REMOVE: old - flags, FlagChange.REPLACE: flags}[change]


class Naive:
    """The simplest model of a mailbox."""

    def __init__(self) -> None:
        self.messages: dict[int, tuple[frozenset[str], int]] = {}
        self.uidnext = 1
        self.recent_from = 1

    def add(self, flags: frozenset[str], size: int) -> None:
        self.messages[self.uidnext] = (flags, size)
        self.uidnext += 1

    def there(self, uids: Uids) -> list[int]:
        return [uid for uid in sorted(self.messages) if uid in uids]


class StoreMachine(RuleBasedStateMachine):
    """Each rule changes the store and the model; the invariant compares everything that can be asked."""

    engine: str
    new_place: Callable[[], str]

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.place = self.new_place()
        self.store: Store = self.run(open_engine(self.engine, self.place))
        entry = self.run(self.store.directory.add("linda", {}))
        self.account: Account = self.run(self.store.account(entry))
        self.model = {name: Naive() for name in NAMES}
        self.earlier: dict[str, list[tuple[Mailbox, dict[int, frozenset[str]]]]] = {name: [] for name in NAMES}

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asked)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
            self.loop.close()

    def mailbox(self, name: str) -> Mailbox:
        return self.run(self.account.mailbox(name))

    @rule(name=names, flags=flag_sets, sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=5))
    def append(self, name: str, flags: frozenset[str], sizes: list[bytes]) -> None:
        model = self.model[name]
        first = model.uidnext
        appended = self.run(
            self.account.append(self.mailbox(name).id, [incoming(*flags, octets=octets) for octets in sizes])
        )
        for octets in sizes:
            model.add(flags, len(octets))
        assert appended.uids == Uids.span(first, model.uidnext - 1)

    @rule(
        name=names,
        uids=uid_sets,
        change=st.sampled_from(FlagChange),
        flags=flag_sets,
        back=st.none() | st.integers(0, 5),
    )
    def store_flags(self, name: str, uids: Uids, change: FlagChange, flags: frozenset[str], back: int | None) -> None:
        model, box = self.model[name], self.mailbox(name)
        since = None if back is None else ModSeq(max(0, box.highestmodseq - back))
        modseqs = dict(self.run(fetched(self.account, box.id, uids, Column.MODSEQ)))
        stored = self.run(self.account.store_flags(box.id, uids, change, flags, unchanged_since=since))
        changed, failed = [], []
        for uid in model.there(uids):
            old, size = model.messages[uid]
            if since is not None and modseqs[uid] > since:
                failed.append(uid)
                continue
            new = changed_flags(old, change, flags)
            if new != old:
                changed.append(uid)
                model.messages[uid] = (new, size)
        assert (list(stored.changed), list(stored.failed)) == (changed, failed)
        assert stored.previous == box.highestmodseq
        assert (stored.modseq > box.highestmodseq) == bool(changed)

    @rule(
        name=names,
        orders=st.lists(st.builds(FlagOrder, uid_sets, st.sampled_from(FlagChange), flag_sets), min_size=1, max_size=4),
    )
    def store_flags_in_turn(self, name: str, orders: list[FlagOrder]) -> None:
        """After each order the store reports the flags as they are then, and each change has a higher modseq."""
        model, box = self.model[name], self.mailbox(name)
        highest = box.highestmodseq
        for order, stored in zip(orders, self.run(self.account.store_flags_in_turn(box.id, orders)), strict=True):
            changed = []
            for uid in model.there(order.uids):
                old, size = model.messages[uid]
                new = changed_flags(old, order.change, order.flags)
                if new != old:
                    changed.append(uid)
                    model.messages[uid] = (new, size)
            assert (list(stored.changed), stored.previous, stored.failed) == (changed, highest, Uids())
            assert (stored.modseq > highest) == bool(changed)
            highest = stored.modseq
            assert stored.flags is not None
            told = {uid: frozenset(self.account.flag_names(word)) for uid, word, _ in stored.flags}
            assert told == {uid: model.messages[uid][0] for uid in model.there(order.uids)}
            assert {uid for uid, _, modseq in stored.flags if modseq == highest} >= set(changed)
        assert self.mailbox(name).highestmodseq == highest

    @rule(source=names, uids=uid_sets, to=names, moving=st.booleans())
    def transfer(self, source: str, uids: Uids, to: str, moving: bool) -> None:
        box = self.mailbox(source)
        here, there = self.model[source], self.model[to]
        taken, first = here.there(uids), there.uidnext
        copied = self.run((self.account.move if moving else self.account.copy)(box.id, uids, to))
        for uid in taken:
            there.add(*(here.messages.pop(uid) if moving else here.messages[uid]))
        assert (list(copied.sources), copied.targets) == (taken, Uids.span(first, there.uidnext - 1))

    @rule(name=names, uids=st.none() | uid_sets)
    def expunge(self, name: str, uids: Uids | None) -> None:
        model = self.model[name]
        doomed = [uid for uid in model.there(uids or Uids.span(1, 1000)) if "\\Deleted" in model.messages[uid][0]]
        if uids is not None and not uids:
            doomed = []
        assert list(self.run(self.account.expunge(self.mailbox(name).id, uids)).uids) == doomed
        for uid in doomed:
            del model.messages[uid]

    @rule(name=names, uids=uid_sets)
    def remove(self, name: str, uids: Uids) -> None:
        model = self.model[name]
        doomed = model.there(uids)
        assert list(self.run(self.account.remove(self.mailbox(name).id, uids)).uids) == doomed
        for uid in doomed:
            del model.messages[uid]

    @rule()
    def empty_inbox(self) -> None:
        """RENAME of INBOX leaves it empty; then the new mailbox is deleted."""
        flags = [flags for _, (flags, _) in sorted(self.model["INBOX"].messages.items())]
        self.run(self.account.rename("INBOX", "Old"))
        old = self.mailbox("Old")
        rows = self.run(fetched(self.account, old.id, Uids.span(1, 1000), Column.FLAGS))
        assert [frozenset(self.account.flag_names(word)) for _, word in rows] == flags
        self.run(self.account.delete("Old"))
        self.model["INBOX"].messages.clear()

    @rule(name=names)
    def claim_recent(self, name: str) -> None:
        model = self.model[name]
        selection = self.run(self.account.select(name, claim_recent=True))
        assert list(selection.recent) == [uid for uid in sorted(model.messages) if uid >= model.recent_from]
        model.recent_from = model.uidnext

    @rule(name=names)
    def remember(self, name: str) -> None:
        flags = {uid: flags for uid, (flags, _) in self.model[name].messages.items()}
        self.earlier[name].append((self.mailbox(name), flags))

    @rule(name=names, data=st.data())
    def catch_up(self, name: str, data: st.DataObject) -> None:
        """From any earlier state, the changes since lead to the present state."""
        if not self.earlier[name]:
            return
        then, known = data.draw(st.sampled_from(self.earlier[name]))
        changes = self.run(
            self.account.changes(
                then.id,
                since=then.highestmodseq,
                expunged_since=then.highestmodseq,
                uidnext=then.uidnext,
                claim_recent=False,
            )
        )
        now = {uid: flags for uid, (flags, _) in self.model[name].messages.items()}
        there = {uid: flags for uid, flags in known.items() if uid not in changes.expunged}
        there |= {uid: frozenset(self.account.flag_names(word)) for uid, word, _ in changes.flags or ()}
        arrived = self.run(fetched(self.account, then.id, changes.arrived, Column.FLAGS))
        assert [row[0] for row in arrived] == list(changes.arrived)
        there |= {uid: frozenset(self.account.flag_names(word)) for uid, word in arrived}
        assert there == now
        assert all(modseq > then.highestmodseq for _, _, modseq in changes.flags or ())
        modseqs = dict(self.run(fetched(self.account, then.id, Uids.span(1, 1000), Column.MODSEQ)))
        touched = self.run(self.account.touched(then.id, then.highestmodseq))
        assert list(touched.changed) == [uid for uid, modseq in modseqs.items() if modseq > then.highestmodseq]
        assert set(known) - set(now) <= set(touched.expunged)
        wanted = data.draw(uid_sets)
        found = self.run(self.account.search(then.id, All(), wanted, modseq_of=WHOLE))
        expected = {uid: modseq for uid, modseq in modseqs.items() if uid in wanted}
        assert (list(found.uids), found.modseq) == (sorted(expected), max(expected.values(), default=None))
        assert (changes.uidnext, changes.modseq) == (self.model[name].uidnext, self.mailbox(name).highestmodseq)

    @invariant()
    def counters_equal_recounts(self) -> None:
        if not hasattr(self, "store"):
            return
        for name, model in self.model.items():
            selection = self.run(self.account.select(name, claim_recent=False))
            flags = [flags for flags, _ in model.messages.values()]
            box = selection.mailbox
            assert (box.uidnext, box.messages) == (model.uidnext, len(model.messages))
            assert box.unseen == sum("\\Seen" not in each for each in flags)
            assert box.deleted == sum("\\Deleted" in each for each in flags)
            assert box.size == sum(size for _, size in model.messages.values())
            assert box.recent == sum(uid >= model.recent_from for uid in model.messages)
            assert list(selection.uids) == sorted(model.messages)
            unseen = [uid for uid, (each, _) in model.messages.items() if "\\Seen" not in each]
            assert selection.first_unseen == min(unseen, default=None)
            rows = self.run(fetched(self.account, box.id, Uids.span(1, 1000), Column.FLAGS, Column.SIZE))
            assert {uid: (frozenset(self.account.flag_names(word)), size) for uid, word, size in rows} == model.messages
            assert (
                max(
                    (row[1] for row in self.run(fetched(self.account, box.id, Uids.span(1, 1000), Column.MODSEQ))),
                    default=0,
                )
                <= box.highestmodseq
            )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_store_behaves_like_the_naive_mailbox(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    new_place = staticmethod(new_places(request, engine, tmp_path))
    machine = type("Machine", (StoreMachine,), {"engine": engine, "new_place": new_place})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
