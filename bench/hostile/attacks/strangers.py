"""Crowds before login: slow clients, clients that say nothing, and clients that come and go."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.hostile.attack import OTHER, PASSWORD, Attack, Stage, Who
from bench.hostile.crowd import Crowd, networks, storm

ELSEWHERE = "127.0.0.77"
"""The network of a user who wants to log in meanwhile."""

PATIENCE_SECONDS = 8.0
"""How long a user tries to log in."""

CLIENT_HELLO = bytes.fromhex("16030101ff010001fb0303") + bytes(32) + b"\x20" + bytes(32) + b"\x00\x02\x13\x01\x01\x00"
"""The beginning of a TLS handshake (RFC 8446 §4.1.2) that says that much more is to come."""


def _size(stage: Stage, full: int) -> int:
    return full // 20 if stage.is_short else full


def _seconds(stage: Stage) -> float:
    return 1.5 if stage.is_short else 8.0


def entered(stage: Stage) -> str:
    """Logs in as another user from another network, and tries again if refused; returns how long that took.

    Where every place is taken by a network of its own, these have five seconds to log in before one gives way.
    """
    begun = time.monotonic()
    while True:
        try:
            stage.connect(source=ELSEWHERE).log_in(OTHER, PASSWORD)
        except OSError:
            if time.monotonic() - begun > PATIENCE_SECONDS:
                return "failed: another user cannot log in"
            stage.rest(0.2)
        else:
            return f"another's login {time.monotonic() - begun:.1f} s"


def _slow(service: str, first: bytes, octets: bytes) -> Callable[[Stage], str]:
    """An attack of 10,000 connections of 200 networks: each sends *first* at once, and then an octet a second."""

    def run(stage: Stage) -> str:
        count = _size(stage, 10_000)
        with stage.crowd(service, sources=networks(count // 50)) as crowd:
            crowd.connect(count)
            crowd.send(first)
            sent = crowd.drip(octets, _seconds(stage))
            return f"{crowd.came_to()}; {sent} octets one by one; {entered(stage)}"

    return run


def _one_address(stage: Stage) -> str:
    count = _size(stage, 10_000)
    with stage.crowd() as crowd:
        crowd.connect(count)
        crowd.read(1.0)
        return f"{crowd.came_to()}; {entered(stage)}"


def _many_networks(stage: Stage) -> str:
    count = _size(stage, 10_000)
    with stage.crowd(sources=networks(count // 2)) as crowd:
        crowd.connect(count)
        crowd.read(1.0)
        return f"{crowd.came_to()}; {entered(stage)}"


def _fat(stage: Stage) -> str:
    """Connections that send as much as fits, in a line that does not end."""
    count = _size(stage, 10_000)
    with stage.crowd(sources=networks(count // 50)) as crowd:
        crowd.connect(count)
        crowd.send(b'a LOGIN "' + b"x" * 60_000)
        crowd.read(1.0)
        crowd.send(b"x" * 60_000)
        crowd.read(1.0)
        return f"{crowd.came_to()}; {entered(stage)}"


def _fat_literals(stage: Stage) -> str:
    """Connections that send as many octets in literals as they may, and AUTHENTICATE behind them."""
    count = _size(stage, 10_000)
    with stage.crowd(sources=networks(count // 50)) as crowd:
        crowd.connect(count)
        crowd.send(b"a ID (" + b'"x" {4000+}\r\n' + b"x" * 4000 + b' "y" {4000+}\r\n' + b"y" * 4000)
        crowd.read(1.0)
        return f"{crowd.came_to()}; {entered(stage)}"


def _come_and_go(reset: bool, service: str) -> Callable[[Stage], str]:
    def run(stage: Stage) -> str:
        seconds = _seconds(stage)
        until = min(stage.deadline, time.monotonic() + seconds)
        count = sum(1 for _ in storm(stage.server.ports[service], until, networks(200), reset=reset))
        return f"{count / seconds:.0f} a second; {entered(stage)}"

    return run


def _handshakes(stage: Stage) -> str:
    """Clients that complete a TLS handshake, and come again at once."""
    seconds = _seconds(stage)
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with stage.crowd("imaps", sources=networks(50)) as crowd:
            crowd.connect(100)
            done += crowd.shake_hands(2.0)
    return f"{done / seconds:.0f} handshakes a second; {entered(stage)}"


def _held_handshakes(stage: Stage) -> str:
    """Connections that complete a TLS handshake and then say nothing."""
    with stage.crowd("imaps", sources=networks(100)) as crowd:
        crowd.connect(_size(stage, 5000))
        done = crowd.shake_hands(10.0)
        return f"{done} handshakes; {crowd.came_to()}; {entered(stage)}"


def _hellos(stage: Stage) -> str:
    """The same beginning of a handshake on 4,000 connections at the same moment; it costs the client nothing."""
    until, count, hello = time.monotonic() + _seconds(stage), 0, Crowd.client_hello()
    while time.monotonic() < until:
        with stage.crowd("imaps", sources=networks(100)) as crowd:
            crowd.connect(_size(stage, 4000))
            count += crowd.send(hello) // len(hello)
            crowd.read(0.5)
    return f"{count} connections; {entered(stage)}"


def _start_tls(stage: Stage) -> str:
    """Connections that ask for STARTTLS and stop in the handshake; they come again and again."""
    until, count = time.monotonic() + _seconds(stage), 0
    while time.monotonic() < until:
        with stage.crowd(sources=networks(100)) as crowd:
            crowd.connect(_size(stage, 4000))
            crowd.send(b"a STARTTLS\r\n")
            crowd.heard(b"a OK", 5.0)
            count += crowd.send(CLIENT_HELLO) // len(CLIENT_HELLO)
            crowd.read(0.5)
    return f"{count} connections; {entered(stage)}"


def _rubbish(stage: Stage) -> str:
    """Clients that are told of their mistakes until they are thrown out, and come again."""
    until, lines, waits = time.monotonic() + _seconds(stage), 0, []
    while time.monotonic() < until:
        begun = time.monotonic()
        with stage.crowd(sources=networks(100)) as crowd:
            crowd.connect(200)
            lines += crowd.send(b"GET / HTTP/1.1\r\n" * 20) // 16
            crowd.ended_by_server(2.0)
        waits.append(time.monotonic() - begun)
    return f"{lines} lines, 200 clients thrown out in {statistics.median(waits):.2f} s; {entered(stage)}"


# Each stranger has a session (10 KB), up to 16 KiB of unread input, and one read of the socket.
PLAIN_MB = 4000 * 0.04

# A handshake that is not finished, or a connection of TLS, has OpenSSL's buffers besides.
TLS_MB = 4000 * 0.1

# Two passwords are hashed at a time, 64 MiB each.
HASH_MB = 160.0


def _row(key: str, what: str, run: Callable[[Stage], str], growth_mb: float, *, is_in_short: bool = True) -> Attack:
    return Attack(
        key=key,
        who=Who.STRANGER,
        what=what,
        before="",
        run=run,
        growth_mb=growth_mb + HASH_MB,
        is_crowd=True,
        is_in_short=is_in_short,
    )


ROWS = (
    _row(
        "slow-line",
        "10,000 connections that send a command, one octet a second",
        _slow("imap", b"", b"a LOGIN mallory wrong"),
        PLAIN_MB,
    ),
    _row(
        "slow-literal",
        "10,000 connections that send a literal, one octet a second",
        _slow("imap", b"a LOGIN {3000}\r\n", b"x" * 99),
        PLAIN_MB,
        is_in_short=False,
    ),
    _row("slow-tls", "10,000 TLS handshakes, one octet a second", _slow("imaps", b"", CLIENT_HELLO), TLS_MB),
    _row(
        "slow-tls-hello",
        "10,000 TLS handshakes, one octet a second after the first hundred",
        _slow("imaps", CLIENT_HELLO, b"\0" * 99),
        TLS_MB,
        is_in_short=False,
    ),
    _row(
        "slow-pop3",
        "10,000 connections of POP3 that send a command, one octet a second",
        _slow("pop3", b"", b"USER mallory\r\nPASS wrong"),
        PLAIN_MB,
        is_in_short=False,
    ),
    _row("one-address", "10,000 connections from one address", _one_address, PLAIN_MB),
    _row("many-networks", "10,000 connections from 5,000 networks", _many_networks, PLAIN_MB, is_in_short=False),
    _row("fat-lines", "10,000 connections that each send 120 KB of a line that does not end", _fat, PLAIN_MB),
    _row(
        "fat-literals",
        "10,000 connections with 8 KB of literals before login",
        _fat_literals,
        PLAIN_MB,
        is_in_short=False,
    ),
    _row("come-and-go", "connections that close at once", _come_and_go(False, "imap"), PLAIN_MB),
    _row("resets", "connections that are reset at once", _come_and_go(True, "imap"), PLAIN_MB, is_in_short=False),
    _row(
        "resets-tls",
        "connections to the TLS port that are reset at once",
        _come_and_go(True, "imaps"),
        PLAIN_MB,
        is_in_short=False,
    ),
    _row("handshakes", "TLS handshakes, again and again", _handshakes, TLS_MB),
    _row("handshakes-held", "5,000 TLS connections that say nothing more", _held_handshakes, TLS_MB, is_in_short=False),
    _row("hellos", "the same ClientHello on 4,000 connections at once, again and again", _hellos, TLS_MB),
    _row("starttls", "4,000 connections that stop in the handshake after STARTTLS", _start_tls, TLS_MB),
    _row("rubbish", "clients that are thrown out for their mistakes, and come again", _rubbish, PLAIN_MB),
)
