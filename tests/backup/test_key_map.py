"""The map of a backup's objects: it finds what was added, and takes no memory for each object."""

from __future__ import annotations

import tracemalloc
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.backup import key_map
from mektup.backup.key_map import KEY_BYTES, KeyMap

MANY = 200_000


def key(number: int) -> bytes:
    return blake2b(b"%d" % number, digest_size=KEY_BYTES).digest()


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2**64 - 1)), max_size=200))
def test_a_key_has_the_greatest_number_that_it_was_added_with(added: list[tuple[int, int]]) -> None:
    expected: dict[int, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_map, "MOST_IN_MEMORY", 7)
        keys = KeyMap()
        for name, number in added:
            keys.add(key(name), number)
            expected[name] = max(number, expected.get(name, 0))
    for name in range(61):
        assert keys.get(key(name)) == expected.get(name)
        assert (key(name) in keys) == (name in expected)


def test_memory_and_runs_do_not_grow_with_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_map, "MOST_IN_MEMORY", 5000)
    tracemalloc.start()
    try:
        keys = KeyMap()
        for number in range(MANY):
            keys.add(key(number), number)
        taken, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a dictionary of them takes 30 MB
    assert taken < 1_000_000
    assert most < 4_000_000
    assert len(keys._runs) < 12
    assert all(keys.get(key(number)) == number for number in range(0, MANY, 997))
    assert key(MANY) not in keys
