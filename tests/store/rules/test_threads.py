"""The rules of THREADID, for mail that arrives in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.threads import REFERENCES, joined, keys_of, thread_named, threadid

NAMES = st.sampled_from("abcdef")
MAIL = st.tuples(st.one_of(st.just(""), NAMES), st.lists(NAMES, max_size=4))


def arrive(known: dict[int, int], name: str, references: list[str]) -> int:
    thread, unknown = joined(keys_of(name, references), known, b"")
    known |= dict.fromkeys(unknown, thread)
    return thread


@given(st.lists(MAIL, max_size=12), MAIL)
def test_equal_mail_is_in_one_thread_whatever_arrives_between(
    between: list[tuple[str, list[str]]], mail: tuple[str, list[str]]
) -> None:
    known: dict[int, int] = {}
    thread = arrive(known, *mail)
    for other in between:
        arrive(known, *other)
    assert arrive(known, *mail) == thread


@given(st.permutations(range(6)))
def test_a_chain_is_one_thread_in_any_order(order: list[int]) -> None:
    """Each message has all references, as RFC 5322 §3.6.4 asks."""
    known: dict[int, int] = {}
    assert len({arrive(known, str(number), [str(each) for each in range(number)]) for number in order}) == 1


def test_the_root_is_always_counted() -> None:
    references = [str(number) for number in range(500)]
    keys = keys_of("own", references)
    assert len(keys) == REFERENCES + 1
    assert keys[0] == keys_of("own", [])[0]
    assert keys[-1] == keys_of("0", [])[0]
    assert keys[1] == keys_of("499", [])[0]


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_threadid_names_its_thread(thread: int) -> None:
    assert thread_named(threadid(thread)) == thread


@given(st.text())
def test_any_other_text_names_none(text: str) -> None:
    found = thread_named(text)
    assert found is None or threadid(found) == text
