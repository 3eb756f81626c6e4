"""RFC 2342, RFC 3501 §5.1.3: names of a server's mailboxes become ours."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mektup.migration.imap.names import TOP, Namespace, Namespaces, local_names
from mektup.terms.limits import DEFAULT_LIMITS

COURIER = Namespace("INBOX.", ".")


def names(*raw: bytes, namespace: Namespace = TOP, others: Sequence[Namespace] = (), delimiter: str = "/") -> list[str]:
    return list(
        local_names([(each, delimiter) for each in raw], Namespaces([namespace], others), DEFAULT_LIMITS).values()
    )


def test_names_at_the_top_stay() -> None:
    assert names(b"INBOX", b"Sent", b"Work/2026") == ["INBOX", "Sent", "Work/2026"]


def test_the_prefix_of_courier_and_cyrus_goes_and_dots_become_slashes() -> None:
    raw = (b"INBOX", b"INBOX.Sent", b"INBOX.Work.2026")
    assert names(*raw, namespace=COURIER, delimiter=".") == ["INBOX", "Sent", "Work/2026"]


def test_a_prefix_of_inbox_is_known_in_any_case() -> None:
    assert names(b"Inbox.Sent", namespace=COURIER, delimiter=".") == ["Sent"]


def test_names_of_others_are_left_out() -> None:
    assert names(b"INBOX", b"user.fred", b"INBOX.Sent", namespace=COURIER, delimiter=".") == ["INBOX", "Sent"]


def test_mailboxes_of_others_are_left_out_though_the_own_ones_have_no_prefix() -> None:
    others = [Namespace("Other Users/", "/"), Namespace("#shared/", "/")]
    raw = (b"INBOX", b"Other Users/fred/Work", b"Other Users", b"#shared/news", b"Other Users of mine")
    assert names(*raw, others=others) == ["INBOX", "Other Users of mine"]


def test_modified_utf_7_and_names_in_utf_8_become_text() -> None:
    assert names(b"Gel&AV8-en &- giden", b"Gelen", "Çöp".encode()) == ["Gelşen & giden", "Gelen", "Çöp"]


def test_our_delimiter_within_a_level_is_replaced() -> None:
    assert names(b"a/b.c", delimiter=".") == ["a_b/c"]


def test_two_names_never_become_one() -> None:
    assert names(b"a/b", b"a_b", delimiter=".") == ["a_b", "a_b (2)"]


def test_an_inbox_below_the_inbox_is_another_mailbox() -> None:
    raw = (b"INBOX", b"INBOX.INBOX", b"INBOX.inbox.old")
    assert names(*raw, namespace=COURIER, delimiter=".") == ["INBOX", "INBOX/INBOX", "INBOX/old"]


def test_a_name_that_is_no_text_stays_different_from_others() -> None:
    found = names(b"a\xff", b"a\xfe", b"a\x01")
    assert len(set(found)) == 3


@pytest.mark.parametrize("delimiter", [".", "\\", "^"])
def test_any_delimiter_separates(delimiter: str) -> None:
    assert names(f"Work{delimiter}2026".encode(), delimiter=delimiter) == ["Work/2026"]


def test_a_server_without_levels_keeps_its_names() -> None:
    assert names(b"a.b", delimiter="") == ["a.b"]
