"""``mixed``: fifty clients at once on two workers; each behaves like a person with two devices.

They list, read, flag, search, store, wait in IDLE and append, in a random order that is the same on every server.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from bench.crowd import Script, Step, gather, percentile
from bench.mail import Generator, Mail
from bench.rows.registry import CROWD, CROWD_MESSAGES, PASSWORD, Bench
from bench.sets.lines import Line

CLIENTS = 50
COMMANDS = 80
"""The number of commands of each client."""

IDLE_PAUSE = 0.05
"""Seconds that a client stays in IDLE; they are not counted as latency."""

SHARES = {"list": 25, "read": 25, "flag": 15, "search": 10, "noop": 10, "append": 8, "idle": 7}
"""How many of a hundred commands are of each kind."""


def mixed(bench: Bench) -> list[Line]:
    """Measures commands per second of all clients together, and the 99th percentile of the time of a command."""
    bench.open_all()
    bench.restart(workers=2)
    bench.wait_for_rest()
    scripts = [_script(number, CROWD[number // 2], bench.mail) for number in range(CLIENTS)]
    watch = bench.stopwatch()
    times = gather(bench.address("imap"), scripts, watch.__enter__)
    watch.__exit__()
    counted = Counter(kind for kind, _ in times)
    lines = [
        Line("commands per second", "/s", {bench.name: len(times) / watch.seconds}),
        Line("99th percentile", "ms", {bench.name: percentile((taken for _, taken in times), 0.99) * 1000}),
        Line("median", "ms", {bench.name: percentile((taken for _, taken in times), 0.5) * 1000}),
        Line("processor time for 1000 commands", "s", {bench.name: watch.cpu / len(times) * 1000}),
    ]
    for kind in SHARES:
        worst = percentile((taken for each, taken in times if each == kind), 0.99)
        lines.append(Line(f"99th percentile of {kind} ({counted[kind]})", "ms", {bench.name: worst * 1000}))
    return lines


def _script(number: int, account: str, mail: Sequence[Mail]) -> Script:
    chance = random.Random(number)
    words = [word.encode() for word in Generator().vocabulary[20:200]]
    yield Step("login", b'a LOGIN "%b" "%b"\r\n' % (account.encode(), PASSWORD.encode()), b"a ")
    yield Step("select", b"b SELECT INBOX\r\n", b"b ")
    yield Step("meet", b"", b"")
    for kind in chance.choices(list(SHARES), list(SHARES.values()), k=COMMANDS):
        uid = chance.randint(1, CROWD_MESSAGES)
        if kind == "list":
            yield Step(kind, b"c UID FETCH 1:* (UID FLAGS ENVELOPE)\r\n", b"c ")
        elif kind == "read":
            yield Step(kind, b"c UID FETCH %d (UID BODY.PEEK[])\r\n" % uid, b"c ")
        elif kind == "flag":
            sign = chance.choice((b"+", b"-"))
            yield Step(kind, b"c UID STORE %d %bFLAGS (\\Flagged)\r\n" % (uid, sign), b"c ")
        elif kind == "search":
            yield Step(kind, b"c UID SEARCH TEXT %b\r\n" % chance.choice(words), b"c ")
        elif kind == "append":
            yield Step(kind, b"c APPEND INBOX " + chance.choice(mail).arguments + b"\r\n", b"c ")
        elif kind == "idle":
            yield Step(kind, b"c IDLE\r\n", b"+", IDLE_PAUSE)
            yield Step("done", b"DONE\r\n", b"c ")
        else:
            yield Step(kind, b"c NOOP\r\n", b"c ")
    yield Step("logout", b"z LOGOUT\r\n", b"z ")
