"""Floods of LMTP and POP3."""

from __future__ import annotations

import time

from bench.hostile.attack import ATTACKER, OTHER, PASSWORD, Attack, Stage, Who
from bench.hostile.attacks.strangers import HASH_MB, entered

ENVELOPE = f"LHLO x\r\nMAIL FROM:<x@x.example>\r\nRCPT TO:<{ATTACKER}>\r\nDATA\r\n".encode()


def _endless_data(stage: Stage) -> str:
    """One connection whose message does not end: it is read, and dropped once it is too large."""
    client = stage.connect("lmtp")
    client.until(b"220 ")
    client.send(ENVELOPE)
    client.until(b"354 ")
    line, sent = (b"y" * 998 + b"\r\n") * 1000, 0
    until = time.monotonic() + (2.0 if stage.is_short else 10.0)
    while time.monotonic() < until:
        client.send(line)
        sent += len(line)
    return f"{sent / 1e6:.0f} MB taken"


def _half_mails(stage: Stage) -> str:
    """Connections in the middle of a message of almost 1 MiB, the most that a spool keeps in memory."""
    count = 100 if stage.is_short else 1000
    mail = b"Subject: x\r\n\r\n" + (b"y" * 998 + b"\r\n") * 1040
    with stage.crowd("lmtp") as crowd:
        members = crowd.connect(count)
        crowd.send(ENVELOPE)
        crowd.heard(b"354", 5.0)
        left = dict.fromkeys(members, mail)
        while left and not crowd.is_over:
            for member, rest in tuple(left.items()):
                left[member] = rest[member.send(rest[:65536]) :]
                if not left[member] or not member.is_open:
                    del left[member]
            crowd.read(0.01)
        answer = stage.deliver(b"Subject: x\r\n\r\n", OTHER)
        return f"{crowd.came_to()}; another mail {answer[:3].decode()}"


def _many_connections(stage: Stage) -> str:
    """More connections of LMTP than a worker has places; users log in meanwhile."""
    with stage.crowd("lmtp") as crowd:
        crowd.connect(500 if stage.is_short else 6000)
        crowd.send(b"LHLO x\r\nMAIL FROM:<x@x.example>\r\n")
        crowd.read(2.0)
        return f"{crowd.came_to()}; {entered(stage)}"


def _recipients(stage: Stage) -> str:
    """10,000 recipients sent ahead, most of them unknown, and one message for those that were taken."""
    client = stage.connect("lmtp")
    client.until(b"220 ")
    client.send(b"LHLO x\r\nMAIL FROM:<x@x.example>\r\n")
    count = 1000 if stage.is_short else 10_000
    begun = time.monotonic()
    client.send(b"".join(b"RCPT TO:<%s+%d@example.org>\r\n" % (ATTACKER.encode(), each) for each in range(count)))
    client.send(b"DATA\r\n")
    client.until(b"354 ")
    client.send(b"Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\n")
    client.until(b"250 2.0.0 Here|250 2.0.0 [^<]")
    return f"{count} recipients in {time.monotonic() - begun:.1f} s"


def _unknown_recipients(stage: Stage) -> str:
    client = stage.connect("lmtp")
    client.until(b"220 ")
    client.send(b"LHLO x\r\nMAIL FROM:<x@x.example>\r\n")
    count = 1000 if stage.is_short else 10_000
    begun = time.monotonic()
    client.send(b"".join(b"RCPT TO:<nobody%d@example.org>\r\n" % each for each in range(count)))
    client.send(b"QUIT\r\n")
    client.until(b"221 ")
    return f"{count} refused in {time.monotonic() - begun:.1f} s"


def _delivery_storm(stage: Stage) -> str:
    """Small mails for one user over 20 connections, one after the other on each."""
    done, until = 0, time.monotonic() + (1.5 if stage.is_short else 8.0)
    mail = ENVELOPE.partition(b"\r\n")[2] + b"Subject: x\r\n\r\nx\r\n.\r\n"
    with stage.crowd("lmtp") as crowd:
        members = crowd.connect(20)
        crowd.send(b"LHLO x\r\n" + mail)
        while time.monotonic() < until:
            crowd.read(0.002)
            for member in members:
                if b"250 2.0.0" in member.seen:
                    member.seen = b""
                    member.send(mail)
                    done += 1
    return f"{done} mails were taken"


def _pop3_passwords(stage: Stage) -> str:
    """USER and PASS, right, by connections that come and go; each locks the maildrop."""
    seconds, done = (1.0 if stage.is_short else 8.0), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with stage.crowd("pop3") as crowd:
            crowd.connect(50)
            crowd.send(f"USER {ATTACKER}\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n".encode())
            crowd.ended_by_server(5.0)
            done += len(crowd.ended)
    return f"{done / seconds:.0f} sessions a second"


def _pop3_ahead(stage: Stage) -> str:
    """Sessions of POP3 that send commands for as long as the server takes them, and read nothing."""
    with stage.crowd("pop3") as crowd:
        crowd.connect(20 if stage.is_short else 90, receive_buffer=65536)
        crowd.send(f"USER {ATTACKER}\r\nPASS {PASSWORD}\r\n".encode())
        crowd.heard(b"+OK", 5.0)
        until, sent = time.monotonic() + (1.0 if stage.is_short else 5.0), 0
        while time.monotonic() < until:
            sent += crowd.send(b"LIST\r\nUIDL\r\nSTAT\r\nNOOP\r\n" * 400)
            stage.rest(0.01)
        return f"{sent / 1e6:.0f} MB of commands taken"


def _crowd(key: str, what: str, run: object, growth_mb: float, *, is_in_short: bool = True) -> Attack:
    assert callable(run)
    return Attack(
        key=key,
        who=Who.STRANGER,
        what=what,
        before="",
        run=run,
        growth_mb=growth_mb,
        is_crowd=True,
        is_in_short=is_in_short,
    )


ROWS = (
    _crowd("lmtp-endless", "a message by LMTP that does not end", _endless_data, 64.0),
    _crowd("lmtp-half", "1,000 connections of LMTP, each in the middle of a message of 1 MiB", _half_mails, 300.0),
    _crowd("lmtp-many", "6,000 connections of LMTP", _many_connections, HASH_MB + 6000 * 0.03),
    _crowd("lmtp-rcpt", "10,000 RCPT for one user in one transaction, sent ahead", _recipients, 64.0),
    _crowd("lmtp-unknown", "10,000 RCPT for nobody, sent ahead", _unknown_recipients, 64.0, is_in_short=False),
    _crowd("lmtp-storm", "small mails for one user over 20 connections", _delivery_storm, 64.0),
    _crowd("pop3-logins", "sessions of POP3 that come and go", _pop3_passwords, HASH_MB, is_in_short=False),
    _crowd(
        "pop3-ahead",
        "90 sessions of POP3 that send commands without reading",
        _pop3_ahead,
        HASH_MB + 90 * 1.0,
        is_in_short=False,
    ),
)
