"""Rows of FETCH: what clients ask for to show a list, to show a message, and to keep a copy."""

from __future__ import annotations

import random

from bench.answers import fetched, messages
from bench.rows.registry import Bench, Measured, row

THUNDERBIRD = (
    b"From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type".split()
)
"""The header fields that Thunderbird asks for when it fills its list."""


def _measured(bench: Bench, command: bytes, *names: bytes) -> Measured:
    """One FETCH of all messages; the items *names* of the answers are compared."""
    client = bench.imap()
    with bench.stopwatch() as watch:
        answer = client.run(command)
    return watch.measured(lambda: messages(answer.octets, *names))


@row("flags", "UID FETCH 1:* (UID FLAGS)", ratio=1.0)
def flags(bench: Bench) -> Measured:
    return _measured(bench, b"UID FETCH 1:* (UID FLAGS)", b"UID", b"FLAGS")


@row("envelope", "FETCH 1:* (UID FLAGS INTERNALDATE ... ENVELOPE)", ratio=0.2)
def envelope(bench: Bench) -> Measured:
    names = (b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE")
    return _measured(bench, b"FETCH 1:* (%b)" % b" ".join(names), *names)


@row("structure", "FETCH 1:* (UID BODYSTRUCTURE)", ratio=0.5)
def structure(bench: Bench) -> Measured:
    return _measured(bench, b"FETCH 1:* (UID BODYSTRUCTURE)", b"UID", b"BODYSTRUCTURE")


@row("thunderbird", f"UID FETCH 1:* of {len(THUNDERBIRD)} header fields", ratio=0.7)
def thunderbird(bench: Bench) -> Measured:
    fields = b" ".join(THUNDERBIRD)
    command = b"UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (%b)])" % fields
    section = b"BODY[HEADER.FIELDS (%b)]" % fields.upper()
    return _measured(bench, command, b"UID", b"RFC822.SIZE", b"FLAGS", section)


@row("body", "FETCH 1:* (UID BODY.PEEK[])", ratio=0.8)
def body(bench: Bench) -> Measured:
    return _measured(bench, b"FETCH 1:* (UID BODY.PEEK[])", b"UID", b"BODY[]")


PARTIALS = 1000


@row("partial", f"{PARTIALS} x UID FETCH n (BODY.PEEK[1]<0.2048>), pipelined", ratio=1.0)
def partial(bench: Bench) -> Measured:
    client = bench.imap()
    chance = random.Random(PARTIALS)
    uids = [chance.randint(1, bench.messages) for _ in range(PARTIALS)]
    commands = [b"UID FETCH %d (BODY.PEEK[1]<0.2048>)" % uid for uid in uids]
    with bench.stopwatch() as watch:
        answer = client.run(*commands)
    return watch.measured(
        lambda: (answer.octets.count(b"a OK"), len(fetched(answer.octets)), messages(answer.octets, b"BODY[1]<0>"))
    )
