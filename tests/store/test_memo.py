"""One budget for everything that is remembered: the least recently used value is removed first, from any memo."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mektup.store.memo import THING_OCTETS, Memo, MemoKind, Memory

BUDGET = 10_000
SIZE = 3000 - THING_OCTETS
"""The size of a value, in octets, with which three values fit."""


def there(memo: Memo[str, Any]) -> str:
    """The keys of *memo*; reading them does not count as a use."""
    return "".join(sorted(memo._things))


def octets(memory: Memory) -> int:
    return sum(counts.octets for counts in memory.counts().values())


def test_the_least_recently_used_goes_first_of_all_owners_and_kinds() -> None:
    memory = Memory(BUDGET)
    linda: Memo[str, str] = Memo(memory, MemoKind.FLAGS)
    ali: Memo[str, str] = Memo(memory, MemoKind.FLAGS)
    keys: Memo[str, str] = Memo(memory, MemoKind.SORT_KEYS)
    linda.put("a", "A", SIZE)
    ali.put("b", "B", SIZE)
    keys.put("c", "C", SIZE)
    assert linda.get("a") == "A"
    keys.put("d", "D", SIZE)
    assert [there(memo) for memo in (linda, ali, keys)] == ["a", "", "cd"]
    ali.put("e", "E", SIZE)
    assert [there(memo) for memo in (linda, ali, keys)] == ["a", "e", "d"]
    assert keys.peek("d") == "D"
    ali.put("f", "F", 2 * SIZE)
    assert [there(memo) for memo in (linda, ali, keys)] == ["", "f", "d"]


def test_a_value_takes_the_place_of_the_one_before() -> None:
    memory = Memory(BUDGET)
    memo: Memo[str, str] = Memo(memory, MemoKind.UIDS)
    for key in "abc":
        memo.put(key, "early", SIZE)
    memo.put("a", "late", SIZE)
    assert there(memo) == "abc"
    assert memo.peek("a") == "late"
    memo.put("d", "late", SIZE)
    assert there(memo) == "acd"
    assert octets(memory) == 3 * (SIZE + THING_OCTETS)


def test_a_value_larger_than_the_budget_is_not_remembered() -> None:
    memory = Memory(BUDGET)
    memo: Memo[str, str] = Memo(memory, MemoKind.UIDS)
    memo.put("a", "A", SIZE)
    memo.put("b", "B", SIZE)
    memo.put("c", "C", BUDGET)
    assert there(memo) == "ab"
    memo.put("a", "grown", BUDGET)
    assert memo.peek("a") is None, "the value before is outdated"
    assert there(memo) == "b"


def test_hits_misses_and_octets_are_counted_by_kind() -> None:
    memory = Memory(BUDGET)
    memo: Memo[str, str] = Memo(memory, MemoKind.FLAGS)
    assert memo.get("a") is None
    memo.put("a", "A", 100)
    assert memo.get("a") == memo.get("a") == memo.peek("a") == "A"
    counts = memory.counts()
    flags = counts[MemoKind.FLAGS]
    assert (flags.hits, flags.misses, flags.octets) == (2, 1, 100 + THING_OCTETS)
    assert counts[MemoKind.UIDS].octets == counts[MemoKind.UIDS].misses == 0


def test_values_end_with_their_owner() -> None:
    memory = Memory(BUDGET)
    memo: Memo[str, object] = Memo(memory, MemoKind.UIDS)
    other: Memo[str, object] = Memo(memory, MemoKind.UIDS)
    inner: Memo[str, object] = Memo(memory, MemoKind.FLAGS)
    inner.put("i", "I", 100)
    empty: Memo[str, object] = Memo(memory, MemoKind.ANSWERS)
    # a value that has its own memo
    memo.put("a", inner, 100)
    other.put("b", "B", 100)
    del memo, inner, empty
    gc.collect()
    assert memory.counts()[MemoKind.FLAGS].octets == 0
    assert octets(memory) == 100 + THING_OCTETS
    assert there(other) == "b"


def test_threads_share_it() -> None:
    memory = Memory(BUDGET)
    memos: list[Memo[int, int]] = [Memo(memory, kind) for kind in MemoKind]

    def work(seed: int) -> None:
        for step in range(3000):
            memo = memos[(seed + step) % len(memos)]
            key = step % 11
            found = memo.get(key)
            assert found is None or found % 11 == key
            memo.put(key, step, 1000)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert 0 < octets(memory) <= BUDGET
    assert octets(memory) == sum(thing.octets for memo in memos for thing in memo._things.values())
