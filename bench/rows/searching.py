"""Rows of SEARCH, SORT and THREAD over all messages. The commands of a row search for different words."""

from __future__ import annotations

from collections.abc import Sequence

from bench.answers import numbers, threads
from bench.mail import RARE_WORDS, Generator
from bench.rows.registry import Bench, Measured, row

UNSEENS, SUBJECTS, COMMONS = 50, 10, 3


def _searched(bench: Bench, commands: Sequence[bytes]) -> Measured:
    """Runs one search after the other. Compared are the found messages, in ascending order."""
    client = bench.imap()
    with bench.stopwatch() as watch:
        answers = [client.run(command) for command in commands]
    return watch.measured(lambda: [sorted(found) for answer in answers for found in numbers(answer.octets, b"SEARCH")])


@row("unseen", f"{UNSEENS} x UID SEARCH UNSEEN NOT DELETED", ratio=0.5)
def unseen(bench: Bench) -> Measured:
    return _searched(bench, [b"UID SEARCH UNSEEN NOT DELETED"] * UNSEENS)


@row("subject", f"{SUBJECTS} x UID SEARCH SUBJECT word", ratio=0.1)
def subject(bench: Bench) -> Measured:
    words = Generator().vocabulary[50 : 50 + SUBJECTS]
    return _searched(bench, [b"UID SEARCH SUBJECT %b" % word.encode() for word in words])


@row("rare", f"{len(RARE_WORDS)} x UID SEARCH BODY rare", ratio=0.005)
def rare(bench: Bench) -> Measured:
    return _searched(bench, [b"UID SEARCH BODY %b" % word.encode() for word in RARE_WORDS])


@row("common", f"{COMMONS} x UID SEARCH TEXT common", ratio=0.25)
def common(bench: Bench) -> Measured:
    words = [word for word in Generator().vocabulary if len(word) > 4][:COMMONS]
    return _searched(bench, [b"UID SEARCH TEXT %b" % word.encode() for word in words])


@row("sort", "UID SORT by date, by subject, by from", ratio=1.0, needs=("SORT",))
def sort(bench: Bench) -> Measured:
    client = bench.imap()
    commands = [b"UID SORT (%b) UTF-8 ALL" % key for key in (b"DATE", b"SUBJECT", b"FROM")]
    with bench.stopwatch() as watch:
        answers = [client.run(command) for command in commands]
    return watch.measured(lambda: [found for answer in answers for found in numbers(answer.octets, b"SORT")])


@row("thread", "UID THREAD REFERENCES", ratio=1.0, needs=("THREAD=REFERENCES",))
def thread(bench: Bench) -> Measured:
    client = bench.imap()
    with bench.stopwatch() as watch:
        answer = client.run(b"UID THREAD REFERENCES UTF-8 ALL")
    return watch.measured(lambda: threads(answer.octets))
