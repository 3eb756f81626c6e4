"""Which messages are there already: compared with counting."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mektup.backup.matching import There

digests = st.sampled_from("abc")
messages = st.dictionaries(st.integers(1, 12), digests, max_size=8)


def missing(saved: dict[int, str], live: dict[int, str], *, same_uids: bool) -> list[int]:
    there = There(sorted(live.items()))
    for uid, digest in saved.items() if same_uids else ():
        there.keep(uid, digest)
    return [uid for uid, digest in sorted(saved.items()) if there.find(uid, digest) is None]


@given(messages, messages, st.booleans())
def test_as_many_are_missing_as_there_are_too_few_with_these_octets(
    saved: dict[int, str], live: dict[int, str], same_uids: bool
) -> None:
    found = missing(saved, live, same_uids=same_uids)
    needed, has = Counter(saved.values()), Counter(live.values())
    assert Counter(saved[uid] for uid in found) == +(needed - has)


@given(messages, messages, st.booleans())
def test_after_the_missing_were_added_none_is_missing(
    saved: dict[int, str], live: dict[int, str], same_uids: bool
) -> None:
    for uid in missing(saved, live, same_uids=same_uids):
        live = live | {max(live, default=100) + 100: saved[uid]}
    assert not missing(saved, live, same_uids=same_uids)


@given(messages, messages)
def test_a_message_under_its_own_uid_is_never_missing(saved: dict[int, str], live: dict[int, str]) -> None:
    same = {uid for uid in saved if live.get(uid) == saved[uid]}
    assert not same & set(missing(saved, live, same_uids=True))


def test_a_message_alone_is_missing_although_another_copy_is_there() -> None:
    """UIDs 1 and 2 had the same octets, and 1 was removed."""
    there = There([(2, "a")])
    for uid in (1, 2):
        there.keep(uid, "a")
    assert there.find(1, "a") is None
