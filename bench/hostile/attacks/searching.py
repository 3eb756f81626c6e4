"""SEARCH, SORT and THREAD that take long."""

from __future__ import annotations

import time
from itertools import product

from bench.hostile.attack import ATTACKER, OTHER, Attack, Overtime, Stage, Who
from bench.hostile.client import HostileClient, shown

TEXT = b"From: a@x.example\r\nSubject: %d\r\n\r\n" + b"The quick brown fox jumps over the lazy dog, again.\r\n" * 60


def _put_texts(stage: Stage) -> None:
    for name in (ATTACKER, OTHER):
        stage.append((TEXT % number for number in range(100)), name=name)
        client = stage.imap(name, "INBOX")
        for _ in range(4 if stage.is_short else 7):
            client.ask(b"COPY 1:* INBOX")


def _keys() -> bytes:
    """As many keys as a command may have. They have two letters, too few for the index, so each reads every message."""
    letters = b"!#$&'+,-/:;<=>?@^_`|~"
    keys = [b"OR TEXT %c%c" % pair for pair in product(letters, repeat=2)]
    return b"SEARCH NOT (" + b" ".join(keys[:440]) + b" TEXT zq) TEXT jumps"


def _two_searches(stage: Stage) -> str:
    """Two searches of one account; measures how long a search of another account takes meanwhile."""
    for _ in range(2):
        stage.imap(mailbox="INBOX").send(b"a %b\r\n" % _keys())
    other = stage.imap(OTHER, "INBOX")
    stage.rest(0.3)
    return _others(stage, other)


def _all_kinds(stage: Stage) -> str:
    """Sessions that each pipeline many long searches; some of them close the connection."""
    keys = _keys().removeprefix(b"SEARCH ")
    questions = (
        b"a SEARCH %b\r\n" % keys * 20,
        b"a SORT (SUBJECT) UTF-8 %b\r\n" % keys * 20,
        b"a THREAD REFERENCES UTF-8 %b\r\n" % keys * 20,
        b"a UID SEARCH RETURN (SAVE) %b\r\na UID FETCH $ FLAGS\r\n" % keys * 20,
    )
    for question in questions * 3:
        stage.imap(mailbox="INBOX").send(question)
    for question in questions:
        client = stage.imap(mailbox="INBOX")
        client.send(question)
        client.close()
    return _others(stage, stage.imap(OTHER, "INBOX"))


def _hung_up(stage: Stage) -> str:
    """Searches whose clients have closed the connection; measures how long a search of another account takes then."""
    for _ in range(4):
        client = stage.imap(mailbox="INBOX")
        client.send(b"a %b\r\n" % _keys())
        stage.rest(0.2)
        client.close()
    return _others(stage, stage.imap(OTHER, "INBOX"))


def _others(stage: Stage, client: HostileClient) -> str:
    try:
        took = []
        end = time.monotonic() + (1.0 if stage.is_short else 5.0)
        while time.monotonic() < end:
            took.append(_seconds(client))
    except Overtime:
        return "failed: another's search was not answered"
    words = f"another's search took {max(took):.1f} s"
    return words if max(took) < PATIENCE_SECONDS else f"failed: {words}"


PATIENCE_SECONDS = 3.0
"""The longest acceptable wait for another user's search, which takes a tenth of a second by itself."""


def _seconds(client: HostileClient) -> float:
    begun = time.monotonic()
    client.ask(b"SEARCH TEXT jumps")
    return time.monotonic() - begun


def _put_threads(stage: Stage) -> None:
    references = b" ".join(b"<%050d@x.example>" % number for number in range(900))
    stage.append(
        b"Message-ID: <%d@y.example>\r\nReferences: %b\r\n\r\nx\r\n" % (number, references) for number in range(125)
    )
    client = stage.imap(mailbox="INBOX")
    for _ in range(6 if stage.is_short else 9):
        client.ask(b"COPY 1:* INBOX")


def _thread(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    return shown(client.ask(b"THREAD REFERENCES UTF-8 ALL"))


def _unread_search(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX", receive_buffer=65536)
    client.send(b"a SEARCH ALL\r\n" * 1170)
    stage.rest(3)
    return "not read"


def _uid_lists(stage: Stage) -> str:
    """Many keys; each names most of the mailbox in a few ranges."""
    client = stage.imap(mailbox="INBOX")
    width = 300 if stage.is_short else 3000
    client.send(b"a UID SEARCH RETURN (MIN) ALL\r\n")
    first = int(client.until(rb"\* ESEARCH").split()[-1])
    ranges = b",".join(b"%d:%d" % (first + n * width, first + (n + 1) * width - 2) for n in range(18))
    keys = b" ".join(b"OR UID %b LARGER %d" % (ranges, 1000 + number) for number in range(300))
    return shown(client.ask(b"SEARCH LARGER 1 %b" % keys))


def _mixed_sort(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    got = [shown(client.ask(b"SORT (SUBJECT REVERSE FROM SIZE) UTF-8 ALL")), shown(client.ask(b"SEARCH NOT 1:*"))]
    return got[0]


def _put_long_subjects(stage: Stage) -> None:
    """Adds mails whose Subject and Message-ID are as long as allowed."""
    count = 100 if stage.is_short else 500
    stage.append(
        b"Subject: %d%b\r\nMessage-ID: <%d%b@x.example>\r\n\r\nx\r\n"
        % (number, b"s" * (100_000 + 300 * number), number, b"i" * (100_000 + 300 * number))
        for number in range(count)
    )


def _long_subjects(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    questions = (
        b"SORT (SUBJECT) UTF-8 ALL",
        b"THREAD REFERENCES UTF-8 ALL",
        b"THREAD ORDEREDSUBJECT UTF-8 ALL",
        b"SEARCH SUBJECT zzz",
        b"SEARCH HEADER Message-ID zzz",
        b"FETCH 1:* (ENVELOPE)",
        b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT MESSAGE-ID)])",
    )
    return [shown(client.ask(question)) for question in questions][-1]


COPIES, COPIES_IN_SHORT = 51_200, 6_400
"""How many messages ``put_copies`` adds."""


def put_copies(stage: Stage) -> None:
    """Adds many messages of a few octets each."""
    stage.append(b"Subject: %d\r\n\r\nx\r\n" % number for number in range(100))
    client = stage.imap(mailbox="INBOX")
    for _ in range(6 if stage.is_short else 9):
        client.ask(b"COPY 1:* INBOX")
    client.ask(b"STORE 1 +FLAGS (\\Deleted)")


__all__ = ["ROWS", "Overtime"]

ROWS = (
    Attack(
        key="search-unread",
        who=Who.USER,
        what="16 KB of pipelined SEARCH, unread",
        before="270 MB",
        prepare=put_copies,
        run=_unread_search,
    ),
    Attack(
        key="searches",
        who=Who.USER,
        what="two SEARCHes of 8 KB",
        before="another's search waits over 60 s",
        prepare=_put_texts,
        run=_two_searches,
    ),
    Attack(
        key="searches-ahead",
        who=Who.USER,
        what="16 sessions with 20 of SEARCH, SORT, THREAD and UID SEARCH each, sent ahead; four of them hang up",
        before="another's search waits over 60 s",
        prepare=_put_texts,
        run=_all_kinds,
        is_in_short=False,
    ),
    Attack(
        key="searches-gone",
        who=Who.USER,
        what="four SEARCHes of 8 KB whose clients have hung up",
        before="another's search waits over 60 s",
        prepare=_put_texts,
        run=_hung_up,
    ),
    Attack(
        key="thread",
        who=Who.USER,
        what="THREAD of 64,000 copies of messages with 900 references",
        before="over 250 s, 1.3 GB",
        prepare=_put_threads,
        run=_thread,
    ),
    Attack(
        key="uid-lists",
        who=Who.USER,
        what="SEARCH with 300 keys that name most of 51,200 messages each",
        before="",
        prepare=put_copies,
        run=_uid_lists,
    ),
    Attack(
        key="long-subjects",
        who=Who.MAIL,
        what="SORT, THREAD, SEARCH and FETCH of 500 mails with Subjects and Message-IDs of 100 to 250 KB",
        before="",
        prepare=_put_long_subjects,
        run=_long_subjects,
    ),
    Attack(
        key="sort",
        who=Who.USER,
        what="SORT of 51,200 messages",
        before="",
        prepare=put_copies,
        run=_mixed_sort,
        is_in_short=False,
    ),
)
