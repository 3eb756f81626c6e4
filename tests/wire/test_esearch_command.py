"""ESEARCH."""

import pytest

from mektup.terms.mailbox_sources import MailboxSource, SourceKind
from mektup.terms.search import All, HasFlag, InSubject, Not
from mektup.wire.requests import Esearch, names_seqs
from tests.wire.parsing import complaint, parsed

ALL = frozenset({"ALL"})
SELECTED = (MailboxSource(SourceKind.SELECTED),)
PERSONAL = (MailboxSource(SourceKind.PERSONAL),)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a1 ESEARCH ALL", Esearch(b"a1", SELECTED, All(), ALL)),
        ("a1 UID ESEARCH RETURN () ALL", Esearch(b"a1", SELECTED, All(), ALL)),
        (
            'a1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen',
            Esearch(
                b"a1",
                (MailboxSource(SourceKind.MAILBOXES, ("folder1",)), MailboxSource(SourceKind.SUBTREE, ("folder2",))),
                Not(HasFlag("\\Seen")),
                ALL,
            ),
        ),
        (
            "a1 esearch in  ( personal )  return (min count) charset utf-8 subject x",
            Esearch(b"a1", PERSONAL, InSubject("x"), frozenset({"MIN", "COUNT"}), "UTF-8"),
        ),
        (
            "a1 ESEARCH IN (selected selected) RETURN (SAVE) ALL",
            Esearch(b"a1", SELECTED * 2, All(), frozenset({"SAVE"})),
        ),
    ],
)
def test_esearch(line: str, expected: Esearch) -> None:
    assert parsed(line) == expected


def test_names_and_texts_may_be_literals() -> None:
    request = parsed("a1 ESEARCH IN (mailboxes ({} {})) SUBJECT {}", b"a b", b"INBOX", b"x")
    assert request == Esearch(b"a1", (MailboxSource(SourceKind.MAILBOXES, ("a b", "INBOX")),), InSubject("x"), ALL)


def test_sequence_numbers_are_known() -> None:
    assert names_seqs(parsed("a1 ESEARCH IN (personal) NOT 1:3"))
    assert not names_seqs(parsed("a1 ESEARCH IN (personal) NOT UID 1:3"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a1 ESEARCH", "Expected a space and search keys such as ALL or UNSEEN at column 11"),
        ("a1 ESEARCH IN ()", "Expected mailboxes such as (personal) or (subtree INBOX) at column 16"),
        ("a1 ESEARCH IN (personal)", "Expected a space and search keys such as ALL or UNSEEN at column 25"),
        (
            "a1 ESEARCH IN (personal) RETURN (COUNT SAVE) ALL",
            "SAVE is possible only where the selected mailbox alone is searched at column 26",
        ),
        ("a1 ESEARCH RETURN (ALL) IN (personal) ALL", 'Expected a search key such as UNSEEN, FROM "linda" or'),
    ],
)
def test_errors(line: str, expected: str) -> None:
    assert complaint(line).startswith(expected)
