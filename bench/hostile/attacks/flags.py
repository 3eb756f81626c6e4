"""Keywords and flags: very many in one command, or changed again and again while other sessions do not read."""

from __future__ import annotations

from itertools import pairwise

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.attacks.searching import put_copies
from bench.hostile.client import shown

WORDS = [b"%x" % number for number in range(998)]


def _put_sets(stage: Stage) -> None:
    """Adds messages that each have nearly all of a thousand keywords."""
    count = 60 if stage.is_short else 250
    stage.append([b"Subject: x\r\n\r\nx\r\n"] * count)
    client = stage.imap(mailbox="INBOX")
    for number in range(count):
        client.ask(b"STORE %d FLAGS.SILENT (%b)" % (number + 1, b" ".join(WORDS[:number] + WORDS[number + 90 :])))


def _keywords(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    keys = b" ".join(b"OR KEYWORD %b UNKEYWORD %b" % pair for pair in pairwise(WORDS[:331]))
    got = [shown(client.ask(b"SEARCH %b" % keys)), shown(client.ask(b"SEARCH LARGER 1 %b" % keys))]
    return got[0]


def _flips(stage: Stage) -> str:
    """Flags change again and again; sessions in IDLE are told of them and do not read."""
    listeners = [stage.imap(mailbox="INBOX", receive_buffer=65536) for _ in range(10 if stage.is_short else 50)]
    for listener in listeners:
        listener.send(b"i IDLE\r\n")
        listener.until(rb"\+")
    client = stage.imap(mailbox="INBOX")
    for number in range(2 if stage.is_short else 6):
        client.ask(b"STORE 1:* %bFLAGS.SILENT (\\Seen)" % (b"-" if number % 2 else b"+"))
        stage.rest(0.2)
    return "not read"


ROWS = (
    Attack(
        key="keyword-keys",
        who=Who.USER,
        what="SEARCH for 660 keywords where messages have 900 each",
        before="",
        prepare=_put_sets,
        run=_keywords,
    ),
    Attack(
        key="flips",
        who=Who.USER,
        what="50 sessions in IDLE that do not read, while all flags of 51,200 messages change",
        before="",
        prepare=put_copies,
        run=_flips,
        # 50 times the bound of one session for unread output
        growth_mb=50 * 2.0,
    ),
)
