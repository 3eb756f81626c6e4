"""Clients that ask for large answers and read nothing."""

from __future__ import annotations

from bench.hostile.attack import ATTACKER, PASSWORD, Attack, Stage, Who
from bench.hostile.attacks.searching import COPIES, COPIES_IN_SHORT, put_copies
from bench.hostile.client import HostileClient, shown

SMALL = 65536

RANGES = 20_000
"""One command names every second number of so many."""


def _put_bodies(stage: Stage) -> None:
    size = 200_000
    stage.append(b"Subject: x\r\n\r\n" + (b"y" * 998 + b"\r\n") * (size // 1000) for _ in range(30))
    stage.append([b"Subject: large\r\n\r\n" + (b"y" * 998 + b"\r\n") * 20_000])


def _bodies(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX", receive_buffer=SMALL)
    client.send(b"a FETCH 1:* (BODY.PEEK[])\r\n" * 300)
    stage.rest(2)
    return "not read"


def _pop3(stage: Stage, receive_buffer: int) -> HostileClient:
    client = stage.connect("pop3", receive_buffer=receive_buffer)
    client.until(rb"\+OK")
    client.send(f"USER {ATTACKER}\r\nPASS {PASSWORD}\r\n".encode())
    client.until(rb"\+OK")
    client.until(rb"\+OK")
    return client


def _retr(stage: Stage) -> str:
    client = _pop3(stage, SMALL)
    client.send(b"RETR 1\r\nRETR 31\r\nLIST\r\nUIDL\r\n" * 300)
    stage.rest(2)
    return "not read"


def _crowd(stage: Stage) -> str:
    clients = [stage.imap(mailbox="INBOX", receive_buffer=SMALL) for _ in range(90)]
    for client in clients:
        client.send(b"a FETCH 1:* (BODY.PEEK[])\r\na FETCH 31 (BODY.PEEK[])\r\n" * 20)
    stage.rest(3)
    return "not read"


def _idle(stage: Stage) -> str:
    """Sessions in IDLE that are told of changes again and again, and do not read."""
    clients = [stage.imap(mailbox="INBOX", receive_buffer=SMALL) for _ in range(10)]
    for client in clients:
        client.send(b"a IDLE\r\n")
        client.until(rb"\+")
    changes = stage.imap(mailbox="INBOX")
    words = b" ".join(b"keyword-that-is-as-long-as-one-may-well-be-%03d" % number for number in range(100))
    for number in range(20 if stage.is_short else 200):
        changes.ask(b"STORE 1:* %bFLAGS.SILENT (%b)" % (b"-" if number % 2 else b"+", words))
    return "not read"


def _put_scattered(stage: Stage) -> None:
    """Marks every second message of a large mailbox as \\Deleted."""
    put_copies(stage)
    client = stage.imap(mailbox="INBOX")
    count = COPIES_IN_SHORT if stage.is_short else COPIES
    for start in range(1, count, RANGES):
        some = b",".join(b"%d" % number for number in range(start, min(start + RANGES, count), 2))
        client.ask(b"STORE %b +FLAGS.SILENT (\\Deleted)" % some)


def _scattered(stage: Stage) -> str:
    """Sessions that are told of many expunged messages, no two of them adjacent, and do not read."""
    clients = [stage.imap(mailbox="INBOX", receive_buffer=SMALL) for _ in range(30)]
    for client in clients:
        client.send(b"a IDLE\r\n")
        client.until(rb"\+")
    got = shown(stage.imap(mailbox="INBOX").ask(b"EXPUNGE"))
    stage.rest(1 if stage.is_short else 4)
    return got


ROWS = (
    Attack(
        key="bodies",
        who=Who.USER,
        what="FETCH of bodies again and again, unread",
        before="",
        prepare=_put_bodies,
        run=_bodies,
        is_in_short=False,
    ),
    Attack(
        key="pop3",
        who=Who.USER,
        what="RETR, LIST and UIDL again and again, unread",
        before="",
        prepare=_put_bodies,
        run=_retr,
        is_in_short=False,
    ),
    Attack(
        key="bodies-90",
        who=Who.USER,
        what="90 sessions that fetch bodies, unread",
        before="",
        prepare=_put_bodies,
        run=_crowd,
        # 90 times the bound of one session for unread output
        growth_mb=90 * 4.0,
    ),
    Attack(
        key="idle",
        who=Who.USER,
        what="10 sessions in IDLE that do not read",
        before="",
        prepare=_put_bodies,
        run=_idle,
    ),
    Attack(
        key="expunge-30",
        who=Who.USER,
        what="EXPUNGE of every other of 51,200 messages, heard by 30 sessions in IDLE that do not read",
        before="",
        prepare=_put_scattered,
        run=_scattered,
        # 30 times the bound of one session for unread output
        growth_mb=30 * 12.0,
    ),
)
