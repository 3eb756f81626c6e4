"""Very many sessions of one user, and commands as fast as they can be sent."""

from __future__ import annotations

import time
import zlib

from bench.hostile.attack import ATTACKER, PASSWORD, Attack, Stage, Who
from bench.hostile.attacks.searching import put_copies
from bench.hostile.attacks.strangers import HASH_MB
from bench.hostile.client import shown
from bench.hostile.crowd import Crowd

MANY_SESSIONS = """
[limits]
connections_per_account = 2000
connections_per_address_before_login = 2000
"""
"""Lets one user have so many sessions on a worker; the default is 100."""

LOGIN = f'a LOGIN {ATTACKER} "{PASSWORD}"\r\n'.encode()


def _logged_in(crowd: Crowd, count: int, behind: bytes, ends: bytes, *, receive_buffer: int | None = None) -> None:
    """*count* sessions that have sent *behind* after their login and got *ends*, 90 of them at a time."""
    while count > 0 and not crowd.is_over:
        made = crowd.connect(min(90, count), receive_buffer=receive_buffer)
        count -= 90
        for member in made:
            member.send(LOGIN + behind)
        crowd.heard(ends, 5.0, made)


def _too_many(stage: Stage) -> str:
    with stage.crowd() as crowd:
        _logged_in(crowd, 300 if stage.is_short else 3000, b"b NOOP\r\n", b"\r\nb ")
        crowd.read(0.5)
        refused = sum([b"LIMIT" in member.seen for member in crowd.members.values()])
        return f"{crowd.came_to()}; {refused} logins refused"


def _noops(stage: Stage) -> str:
    """90 sessions that send NOOP without end, and read the answers."""
    with stage.crowd() as crowd:
        _logged_in(crowd, 90, b"b SELECT INBOX\r\n", b"\r\nb OK")
        seconds = 1.5 if stage.is_short else 8.0
        until, before = time.monotonic() + seconds, crowd.octets
        while time.monotonic() < until:
            crowd.send(b"a NOOP\r\n" * 200)
            crowd.read(0.005)
        return f"{(crowd.octets - before) / len(b'a OK NOOP completed') / seconds:.0f} NOOPs a second"


def _unread_noops(stage: Stage) -> str:
    with stage.crowd() as crowd:
        _logged_in(crowd, 90, b"b SELECT INBOX\r\n", b"\r\nb OK", receive_buffer=65536)
        until, sent = time.monotonic() + (1.0 if stage.is_short else 5.0), 0
        while time.monotonic() < until:
            sent += crowd.send(b"a NOOP\r\n" * 4000)
            stage.rest(0.01)
        return f"{sent / 1e6:.0f} MB of commands taken"


def _storm(change: bytes, count: int) -> object:
    """Sessions in IDLE that read, and one that changes the mailbox as fast as it can."""

    def run(stage: Stage) -> str:
        with stage.crowd() as crowd:
            listeners = min(count, 50) if stage.is_short else count
            _logged_in(crowd, listeners, b"b SELECT INBOX\r\nc IDLE\r\n", b"\r\n+ ")
            crowd.read(0.5)
            client = stage.imap(mailbox="INBOX")
            seconds = 1.0 if stage.is_short else 6.0
            until, changes, before = time.monotonic() + seconds, 0, crowd.octets
            while time.monotonic() < until:
                for sign in (b"+", b"-"):
                    client.ask(change % sign if b"%b" in change else change)
                    changes += 1
                crowd.read(0.0005)
            crowd.read(0.5)
            told = (crowd.octets - before) / 1e6
            return f"{changes / seconds:.0f} changes a second, {told:.1f} MB told to {listeners} sessions"

    return run


def _bombs(stage: Stage) -> str:
    """Sessions with COMPRESS that send a thousand octets in one, and read nothing."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b"a NOOP\r\n" * 2_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    with stage.crowd() as crowd:
        _logged_in(crowd, 20 if stage.is_short else 90, b"b COMPRESS DEFLATE\r\n", b"\r\nb OK", receive_buffer=65536)
        crowd.read(0.5)
        sent = crowd.send(bomb)
        stage.rest(1.0 if stage.is_short else 5.0)
        sent += crowd.send(bomb)
        return f"{sent / 1e3:.0f} kB of bombs taken; {crowd.came_to()}"


def _compressed(stage: Stage) -> str:
    """Sessions with COMPRESS that fetch everything, and read nothing."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    ask = b"d SELECT INBOX\r\n" + b"e FETCH 1:* (FLAGS BODY.PEEK[])\r\n" * 40
    ask = deflate.compress(ask) + deflate.flush(zlib.Z_SYNC_FLUSH)
    with stage.crowd() as crowd:
        _logged_in(crowd, 20 if stage.is_short else 90, b"b COMPRESS DEFLATE\r\n", b"\r\nb OK", receive_buffer=65536)
        crowd.read(0.5)
        crowd.send(ask)
        stage.rest(1.5 if stage.is_short else 8.0)
        return f"not read; {crowd.came_to()}"


def _fetchers(stage: Stage) -> str:
    """Sessions that fetch everything, and read nothing."""
    ask = b"d SELECT INBOX\r\n" + b"e FETCH 1:* (FLAGS BODY.PEEK[])\r\n" * 40
    with stage.crowd() as crowd:
        _logged_in(crowd, 90 if stage.is_short else 1000, b"", b"a OK", receive_buffer=65536)
        crowd.send(ask)
        stage.rest(1.5 if stage.is_short else 8.0)
        return f"not read; {crowd.came_to()}"


def _half_appends(stage: Stage) -> str:
    """Sessions in the middle of an APPEND of almost 1 MiB, the most that a spool keeps in memory."""
    mail = b"Subject: x\r\n\r\n" + (b"y" * 998 + b"\r\n") * 1040
    with stage.crowd() as crowd:
        _logged_in(crowd, 90, b"b APPEND INBOX {%d+}\r\n" % (len(mail) + 10), b"a OK")
        left = dict.fromkeys(crowd.members.values(), mail)
        while left and not crowd.is_over:
            for member, rest in tuple(left.items()):
                left[member] = rest[member.send(rest[:65536]) :]
                if not left[member] or not member.is_open:
                    del left[member]
            crowd.read(0.01)
        return crowd.came_to()


def _subscriptions(stage: Stage) -> str:
    client = stage.imap()
    count = 500 if stage.is_short else 5000
    names = [b"s%d/%s%d" % (number % 50, b"n" * 200, number) for number in range(count)]
    client.send(b"".join(b"x SUBSCRIBE %b\r\n" % name for name in names) + b"a NOOP\r\n")
    client.until(b"a ")
    return shown(client.ask(b'LSUB "" *'))


def _creates(stage: Stage) -> str:
    client = stage.imap()
    count = 300 if stage.is_short else 3000
    names = [b"c%d/%s%d" % (number % 50, b"n" * 200, number) for number in range(count)]
    client.send(b"".join(b"x CREATE %b\r\n" % name for name in names) + b"a NOOP\r\n")
    client.until(b"a ")
    return shown(client.ask(b'LIST "" *'))


def _sets(stage: Stage) -> str:
    """As many ranges as a set may have, in every command that takes one."""
    client = stage.imap(mailbox="INBOX")
    ranges = b",".join(b"%d" % number for number in range(1, 39_999, 2))
    backwards = b",".join(b"%d:%d" % (number + 1, number) for number in range(1, 39_999, 4))
    got = b""
    for command in (
        b"FETCH %b (FLAGS)",
        b"FETCH %b (UID)",
        b"STORE %b +FLAGS.SILENT (\\Seen)",
        b"SEARCH %b",
        b"UID FETCH %b (FLAGS)",
        b"COPY %b INBOX",
        b"UID EXPUNGE %b",
    ):
        for numbers in (ranges, backwards):
            got = client.ask(command % numbers)
    return shown(got)


def _crowd(
    key: str,
    what: str,
    run: object,
    growth_mb: float,
    *,
    copies: bool = False,
    settings: str = "",
    is_in_short: bool = True,
) -> Attack:
    assert callable(run)
    return Attack(
        key=key,
        who=Who.USER,
        what=what,
        before="",
        prepare=put_copies if copies else None,
        run=run,
        growth_mb=growth_mb,
        settings=settings,
        is_crowd=True,
        is_in_short=is_in_short,
    )


STORE = b"UID STORE 1:* %bFLAGS.SILENT (\\Seen)"

ROWS = (
    _crowd("sessions", "3,000 sessions of one user, of whom 100 are allowed", _too_many, HASH_MB),
    _crowd("noops", "90 sessions of one user that send NOOP without end", _noops, 64.0),
    _crowd("noops-unread", "90 sessions that send NOOP without reading", _unread_noops, 90 * 1.0, is_in_short=False),
    _crowd(
        "idle-90",
        "UID STORE of 51,200 messages again and again, heard by 90 sessions in IDLE",
        _storm(STORE, 90),
        90 * 2.0,
        copies=True,
        is_in_short=False,
    ),
    _crowd(
        "idle-1000",
        "STORE of one message again and again, heard by 1,000 sessions in IDLE",
        _storm(b"STORE 1 %bFLAGS.SILENT (\\Seen)", 1000),
        1000 * 0.1,
        settings=MANY_SESSIONS,
        copies=True,
    ),
    _crowd(
        "idle-1000-all",
        "UID STORE of 51,200 messages again and again, heard by 1,000 sessions in IDLE",
        _storm(STORE, 1000),
        1000 * 1.0,
        settings=MANY_SESSIONS,
        copies=True,
        is_in_short=False,
    ),
    _crowd("bombs", "90 sessions with COMPRESS whose input inflates a thousandfold", _bombs, 90 * 1.0),
    _crowd(
        "compressed",
        "90 sessions with COMPRESS that fetch everything, unread",
        _compressed,
        90 * 1.0,
        copies=True,
        is_in_short=False,
    ),
    _crowd(
        "fetch-1000",
        "1,000 sessions that fetch everything, unread",
        _fetchers,
        1000 * 0.5,
        settings=MANY_SESSIONS,
        copies=True,
        is_in_short=False,
    ),
    _crowd(
        "appends-half", "90 sessions in the middle of an APPEND of 1 MiB", _half_appends, 90 * 1.5, is_in_short=False
    ),
    _crowd("subscribe", "5,000 subscriptions, sent ahead", _subscriptions, 64.0, is_in_short=False),
    _crowd("create", "3,000 mailboxes, sent ahead", _creates, 64.0, is_in_short=False),
    _crowd("sets", "sets of 20,000 ranges in all commands that take one", _sets, 64.0, copies=True),
)
