"""The commands about mailboxes."""

import pytest
from msgspec.structs import replace

from mektup.terms.sets import NumberSet
from mektup.wire.requests import (
    Create,
    Delete,
    KnownState,
    List,
    Lsub,
    Rename,
    Request,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)
from tests.wire.parsing import complaint, parsed

TAG = b"a1"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("a1 SELECT INBOX", Select(TAG, "INBOX", read_only=False)),
        ("a1 select inbox", Select(TAG, "INBOX", read_only=False)),
        ("a1 EXAMINE iNbOx/Child", Select(TAG, "INBOX/Child", read_only=True)),
        ('a1 SELECT "a b"', Select(TAG, "a b", read_only=False)),
        ("a1 SELECT a]b", Select(TAG, "a]b", read_only=False)),
        ("a1 SELECT R&D", Select(TAG, "R&D", read_only=False)),
        ("a1 SELECT K&AOQ-se", Select(TAG, "Käse", read_only=False)),
        ("a1 SELECT Käse", Select(TAG, "Käse", read_only=False)),
        ("a1 SELECT INBOX (CONDSTORE)", Select(TAG, "INBOX", read_only=False, condstore=True)),
        ("a1 EXAMINE INBOX  ( condstore )", Select(TAG, "INBOX", read_only=True, condstore=True)),
        ("a1 SELECT INBOX ()", Select(TAG, "INBOX", read_only=False)),
        ("a1 SELECT a (QRESYNC (7 12))", Select(TAG, "a", read_only=False, qresync=KnownState(7, 12))),
        ("a1 EXAMINE a ( qresync ( 7  12 ) )", Select(TAG, "a", read_only=True, qresync=KnownState(7, 12))),
        (
            "a1 SELECT a (QRESYNC (7 12) CONDSTORE)",
            Select(TAG, "a", read_only=False, condstore=True, qresync=KnownState(7, 12)),
        ),
        (
            "a1 SELECT a (QRESYNC (7 0 41,43:211,214:541))",
            Select(TAG, "a", read_only=False, qresync=KnownState(7, 0, NumberSet([(41, 41), (43, 211), (214, 541)]))),
        ),
        (
            "a1 SELECT a (QRESYNC (7 12 1:9 (1:3,5 2:4,8)))",
            Select(
                TAG,
                "a",
                read_only=False,
                qresync=KnownState(
                    7, 12, NumberSet([(1, 9)]), (NumberSet([(1, 3), (5, 5)]), NumberSet([(2, 4), (8, 8)]))
                ),
            ),
        ),
        (
            "a1 SELECT a (QRESYNC (7 12 (1 2)))",
            Select(
                TAG,
                "a",
                read_only=False,
                qresync=KnownState(7, 12, None, (NumberSet([(1, 1)]), NumberSet([(2, 2)]))),
            ),
        ),
        ("a1 CREATE a/b", Create(TAG, "a/b")),
        ("a1 CREATE a/b/", Create(TAG, "a/b")),
        ("a1 CREATE x (USE (\\Drafts))", Create(TAG, "x", ("\\Drafts",))),
        ("a1 CREATE x (USE (\\Drafts \\sent))", Create(TAG, "x", ("\\Drafts", "\\sent"))),
        ("a1 CREATE x (USE ())", Create(TAG, "x", ())),
        ("a1 DELETE x", Delete(TAG, "x")),
        ("a1 RENAME x y", Rename(TAG, "x", "y")),
        ('a1 RENAME "x y" z/', Rename(TAG, "x y", "z")),
        ("a1 SUBSCRIBE x", Subscribe(TAG, "x")),
        ("a1 UNSUBSCRIBE x ", Unsubscribe(TAG, "x")),
        ('a1 LSUB "" *', Lsub(TAG, "", "*")),
        ('a1 LSUB "" "%"', Lsub(TAG, "", "%")),
        ("a1 LSUB a/ inbox/%", Lsub(TAG, "a/", "INBOX/%")),
        ("a1 STATUS x (MESSAGES)", Status(TAG, "x", ("MESSAGES",))),
        (
            "a1 STATUS x (uidnext Messages UIDVALIDITY unseen DELETED SIZE recent HIGHESTMODSEQ MAILBOXID APPENDLIMIT)",
            Status(
                TAG,
                "x",
                (
                    "UIDNEXT",
                    "MESSAGES",
                    "UIDVALIDITY",
                    "UNSEEN",
                    "DELETED",
                    "SIZE",
                    "RECENT",
                    "HIGHESTMODSEQ",
                    "MAILBOXID",
                    "APPENDLIMIT",
                ),
            ),
        ),
        ("a1 STATUS x ( UNSEEN  UNSEEN )", Status(TAG, "x", ("UNSEEN",))),
    ],
)
def test_requests(line: str, request_: Request) -> None:
    assert parsed(line) == request_


def test_names_in_utf8() -> None:
    assert parsed("a1 SELECT Käse", utf8=True) == Select(TAG, "Käse", read_only=False)
    assert parsed("a1 SELECT K&AOQ-se", utf8=True) == Select(TAG, "K&AOQ-se", read_only=False)
    assert parsed("a1 RENAME {} {}", "e\u0301".encode(), b"x", utf8=True) == Rename(TAG, "é", "x", "e\u0301")


@pytest.mark.parametrize("word", ["SELECT", "CREATE", "DELETE"])
def test_old_name_is_the_name_as_the_client_wrote_it(word: str) -> None:
    """RFC 9051 §6.3.9.7: for a client that uses UTF-8, if its name differs from ours."""

    def old_name(name: str, *, utf8: bool = True) -> str | None:
        request = parsed(f"a1 {word} {name}", utf8=utf8)
        assert isinstance(request, Select | Create | Delete)
        return request.old_name

    assert old_name('"Cafe\u0301"') == "Cafe\u0301"
    assert old_name("inbox") == "inbox"
    assert old_name('"a b"') is None
    assert old_name("Caf\u00e9") is None
    assert old_name("inbox", utf8=False) is None
    assert old_name("K&AOQ-se", utf8=False) is None


@pytest.mark.parametrize(
    ("names", "old_name"),
    [("a b", None), ("inbox b", "inbox"), ("a inbox/b", "a"), ("inbox iNbOx/b", "inbox"), ("a b/", None)],
)
def test_old_name_of_a_rename(names: str, old_name: str | None) -> None:
    request = parsed(f"a1 RENAME {names}", utf8=True)
    assert isinstance(request, Rename)
    assert request.old_name == old_name
    assert parsed(f"a1 RENAME {names}") == replace(request, old_name=None)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ('a1 LIST "" ""', List(TAG, "", ("",), extended=False)),
        ('a1 LIST "" *', List(TAG, "", ("*",), extended=False)),
        ("a1 LIST a/ %/b*", List(TAG, "a/", ("%/b*",), extended=False)),
        ('a1 LIST "" "inbox"', List(TAG, "", ("INBOX",), extended=False)),
        ('a1 LIST "" &AOQ-*', List(TAG, "", ("ä*",), extended=False)),
        ('a1 LIST "" (* "a b")', List(TAG, "", ("*", "a b"), extended=True)),
        ('a1 LIST () "" *', List(TAG, "", ("*",), extended=True)),
        ('a1 LIST "" * RETURN ()', List(TAG, "", ("*",), extended=True)),
        ('a1 LIST (SUBSCRIBED) "" *', List(TAG, "", ("*",), extended=True, select_subscribed=True)),
        (
            'a1 list (remote subscribed RECURSIVEMATCH special-use) "" *',
            List(
                TAG,
                "",
                ("*",),
                extended=True,
                select_subscribed=True,
                select_remote=True,
                select_special_use=True,
                recursive_match=True,
            ),
        ),
        (
            'a1 LIST "" % RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)',
            List(
                TAG,
                "",
                ("%",),
                extended=True,
                return_subscribed=True,
                return_children=True,
                return_special_use=True,
            ),
        ),
        (
            'a1 LIST "" % RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)',
            List(TAG, "", ("%",), extended=True, return_children=True, return_status=("MESSAGES", "UNSEEN")),
        ),
    ],
)
def test_list(line: str, request_: Request) -> None:
    assert parsed(line) == request_


STATUS_ITEM = "a STATUS item such as MESSAGES or UIDNEXT"
PATTERN = "(put a pattern with spaces in quotes)"
SPACES = "(put a mailbox name with spaces in quotes)"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a1 SELECT", "Expected a space and a mailbox name at column 10"),
        ("a1 SELECT ", "Expected a mailbox name at column 11"),
        ("a1 SELECT Sent Items", f"Expected ( or the end of the command {SPACES} at column 16"),
        ("a1 SELECT a*", "Expected the end of the command at column 12"),
        ("a1 SELECT a (SYNC", "Expected CONDSTORE or QRESYNC at column 14"),
        ("a1 SELECT a (QRESYNC", "Expected a space and ( and UIDVALIDITY and a modseq, such as (7 12) at column 21"),
        ("a1 SELECT a (QRESYNC)", "Expected a space and ( and UIDVALIDITY and a modseq, such as (7 12) at column 21"),
        ("a1 SELECT a (QRESYNC 7)", "Expected ( and UIDVALIDITY and a modseq, such as (7 12) at column 22"),
        ("a1 SELECT a (QRESYNC (x 12))", "Expected UIDVALIDITY: a number up to 4294967295 at column 23"),
        ("a1 SELECT a (QRESYNC (7))", "Expected a space and a modseq at column 24"),
        (
            "a1 SELECT a (QRESYNC (7 9223372036854775808))",
            "Expected a modseq: a number up to 9223372036854775807 at column 25",
        ),
        ("a1 SELECT a (QRESYNC (7 12 1:*))", "Expected a set without * at column 28"),
        ("a1 SELECT a (QRESYNC (7 12 0))", "Expected a sequence set such as 7 or 1:5,9:* at column 28"),
        ("a1 SELECT a (QRESYNC (7 12 1 2))", "Expected ) at column 30"),
        ("a1 SELECT a (QRESYNC (7 12 (1)))", "Expected a space and the UIDs of these sequence numbers at column 30"),
        ("a1 SELECT a (QRESYNC (7 12 (1:2 3)))", "Expected as many UIDs as sequence numbers at column 28"),
        ("a1 SELECT a (QRESYNC (7 12 (1:2 3:*)))", "Expected a set without * at column 33"),
        ("a1 SELECT a (QRESYNC (7 12 (1:2 3:4) 5))", "Expected ) at column 38"),
        ("a1 SELECT a (QRESYNC (7 12 1", "Expected ) at column 29"),
        ("a1 SELECT a (CONDSTORE", "Expected a space or ) at column 23"),
        ('a1 SELECT "a\x7f"', "A mailbox name must not contain control characters at column 11"),
        (b"a1 SELECT \xff", "A mailbox name must be modified UTF-7 or UTF-8 at column 11"),
        ("a1 CREATE Sent Items", f"Expected ( or the end of the command {SPACES} at column 16"),
        ("a1 CREATE x (USE \\Sent)", "Expected ( and special uses such as \\Drafts at column 18"),
        ("a1 CREATE x (USE (Sent))", "Expected a special use such as \\Drafts at column 19"),
        ("a1 CREATE x (COLOUR (red))", "Expected USE at column 14"),
        ("a1 DELETE Sent Items", f"Expected the end of the command {SPACES} at column 16"),
        ("a1 RENAME x", "Expected a space and the mailbox's new name at column 12"),
        ("a1 RENAME x y z", f"Expected the end of the command {SPACES} at column 15"),
        ("a1 LIST", 'Expected a space and a reference such as "" at column 8'),
        ('a1 LIST ""', 'Expected a space and a pattern such as "*" at column 11'),
        ('a1 LIST "" ()', 'Expected a pattern such as "*" at column 13'),
        ('a1 LIST "" a b', f"Expected RETURN or the end of the command {PATTERN} at column 14"),
        ('a1 LIST (X) "" *', "Expected SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE at column 10"),
        ('a1 LIST (RECURSIVEMATCH) "" *', "RECURSIVEMATCH needs SUBSCRIBED beside it at column 9"),
        ('a1 LIST (REMOTE RECURSIVEMATCH) "" *', "RECURSIVEMATCH needs SUBSCRIBED beside it at column 9"),
        ('a1 LIST "" * RETURN', "Expected a space and return options such as (CHILDREN) at column 20"),
        (
            'a1 LIST "" * RETURN (X)',
            "Expected SUBSCRIBED, CHILDREN, SPECIAL-USE, STATUS, MYRIGHTS or METADATA at column 22",
        ),
        ('a1 LIST "" * RETURN (STATUS (X))', f"Expected {STATUS_ITEM} at column 30"),
        ('a1 LIST "" * RETURN (STATUS)', "Expected a space and STATUS items such as (MESSAGES UNSEEN) at column 28"),
        ('a1 LSUB "" (*)', 'Expected a pattern such as "*" or INBOX/% at column 12'),
        ("a1 STATUS x", "Expected a space and STATUS items such as (MESSAGES UNSEEN) at column 12"),
        ("a1 STATUS x MESSAGES", "Expected ( and STATUS items such as (MESSAGES UNSEEN) at column 13"),
        ("a1 STATUS x ()", f"Expected {STATUS_ITEM} at column 14"),
        ("a1 STATUS x (MESSAGES BYTES)", f"Expected {STATUS_ITEM} at column 23"),
        ("a1 STATUS x (MESSAGES", "Expected a space or ) at column 22"),
    ],
)  # fmt: skip
def test_errors(line: str | bytes, text: str) -> None:
    assert complaint(line) == text


def test_names_that_are_not_utf8() -> None:
    assert complaint(b"a1 SELECT x\xff", utf8=True) == "A mailbox name must be UTF-8 at column 11"
