"""Rows of connecting, listing and opening mailboxes, and logging out: what a client does before it reads a message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.answers import messages, responses, statuses, uid_set
from bench.client import Connection
from bench.rows.registry import FOLDERS, PASSWORD, READER, Bench, Measured, row

CONNECTIONS = 100


@row("connect", f"{CONNECTIONS} x connect, LOGIN, LOGOUT", ratio=1.0)
def connect(bench: Bench) -> Measured:
    login = f'a LOGIN "{READER}" "{PASSWORD}"\r\n'.encode()
    answers = []
    with bench.stopwatch() as watch:
        for _ in range(CONNECTIONS):
            client = Connection(bench.address("imap"))
            client.line()
            client.send(login)
            answers.append(client.line())
            client.send(b"b LOGOUT\r\n")
            answer = client.line()
            while b"b OK" not in answer:
                answer += client.line()
            answers.append(answer)
            client.close()
    return watch.measured(lambda: [b"a OK" in answer or b"* BYE" in answer for answer in answers])


NOOPS = 5000


@row("noop", f"{NOOPS} x NOOP, pipelined", ratio=1.0)
def noop(bench: Bench) -> Measured:
    client = bench.imap()
    with bench.stopwatch() as watch:
        answer = client.run(*[b"NOOP"] * NOOPS)
    return watch.measured(lambda: answer.octets.count(b"a OK") + 1)


SELECTS = 20


@row("select", f"{SELECTS} x SELECT", ratio=1.0)
def select(bench: Bench) -> Measured:
    client = bench.imap()
    with bench.stopwatch() as watch:
        answers = [client.run(b"SELECT INBOX") for _ in range(SELECTS)]
    return watch.measured(
        lambda: [re.findall(rb"\* (\d+) EXISTS|\[UIDNEXT (\d+)\]", answer.octets) for answer in answers]
    )


STATUSES = 200


@row(
    "status",
    f"{STATUSES} x STATUS (MESSAGES UIDNEXT ... HIGHESTMODSEQ)",
    ratio=1.0,
    needs=("CONDSTORE",),
)
def status(bench: Bench) -> Measured:
    client = bench.imap()
    command = b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"
    with bench.stopwatch() as watch:
        answers = [client.run(command) for _ in range(STATUSES)]
    octets = b"".join([answer.octets for answer in answers])
    return watch.measured(lambda: statuses(octets, b"MESSAGES", b"UIDNEXT", b"UNSEEN"))


MAILBOXES = 500


@row("list", f"LIST with STATUS of {MAILBOXES} mailboxes", ratio=0.7, needs=("LIST-STATUS",))
def list_status(bench: Bench) -> Measured:
    client = bench.imap(FOLDERS)
    if bench.once("folders"):
        _make_folders(bench)
    with bench.stopwatch() as watch:
        answer = client.run(b'LIST "" "lists/*" RETURN (STATUS (MESSAGES UNSEEN))')

    def check() -> object:
        names = sorted(response[-1] for response in responses(answer.octets) if response[0] == b"LIST")
        return names, sorted(statuses(answer.octets, b"MESSAGES", b"UNSEEN"))

    return watch.measured(check)


def _make_folders(bench: Bench) -> None:
    """Many mailboxes with a few messages each, some of them unread."""
    client = bench.imap(FOLDERS)
    for mail in bench.mail[:10]:
        client.run(b"APPEND INBOX " + mail.arguments)
    client.run(b"SELECT INBOX")
    for first in range(0, MAILBOXES, 100):
        names = [b"lists/topic%03d" % number for number in range(first, first + 100)]
        client.run(*[b"CREATE " + name for name in names])
        client.run(*[b"COPY 1:%d %b" % (1 + int(name[-3:]) % 10, name) for name in names])
    client.run(b"CLOSE")


RESYNCS = 20
CHANGED = 200


@row(
    "qresync",
    f"{RESYNCS} x SELECT (QRESYNC), {CHANGED} changed, {CHANGED} gone",
    ratio=0.05,
    needs=("QRESYNC",),
)
def qresync(bench: Bench) -> Measured:
    return _resynchronised(bench, _miss_changes(bench, min(CHANGED, bench.messages)))


@row("qresync-all", f"{RESYNCS} x SELECT (QRESYNC), all changed, {CHANGED} gone", ratio=0.05, needs=("QRESYNC",))
def qresync_all(bench: Bench) -> Measured:
    return _resynchronised(bench, _miss_changes(bench, bench.messages))


def _resynchronised(bench: Bench, missed: Missed) -> Measured:
    client = bench.new_imap()
    client.run(b"ENABLE QRESYNC")
    command = b"SELECT INBOX (QRESYNC (%d %d 1:%d))" % (missed.uidvalidity, missed.modseq, max(missed.gone))
    with bench.stopwatch() as watch:
        answers = [client.run(command) for _ in range(RESYNCS)]
    client.close()

    def check() -> object:
        # equal answers are parsed once
        told = [_told(octets, missed) for octets in {answer.octets for answer in answers}]
        return told[0] if all(each == told[0] for each in told) else told

    return watch.measured(check)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a client has missed that last saw the mailbox at *modseq*."""

    uidvalidity: int
    modseq: int
    gone: range
    """UIDs that it had seen and that were expunged."""


def _miss_changes(bench: Bench, changed: int) -> Missed:
    """Adds and expunges messages, and sets and removes a flag of *changed* others; INBOX is then as before."""
    client = bench.imap()
    going = min(CHANGED, bench.messages)
    copied = client.run(b"UID COPY 1:%d INBOX" % going).octets
    uidvalidity, first = map(int, re.findall(rb"COPYUID (\d+) \S+ (\d+)", copied)[0])
    gone = range(first, first + going)
    step = bench.messages // changed
    uids = b",".join([b"%d" % uid for uid in range(1, 1 + changed * step, step)]) if step > 1 else b"1:%d" % changed
    state = client.run(b"STATUS INBOX (HIGHESTMODSEQ)").octets
    modseq = int(re.findall(rb"HIGHESTMODSEQ (\d+)", state)[0])
    client.run(
        b"UID STORE %b +FLAGS.SILENT ($Missed)" % uids,
        b"UID STORE %b -FLAGS.SILENT ($Missed)" % uids,
        b"UID STORE %d:%d +FLAGS.SILENT (\\Deleted)" % (gone.start, gone.stop - 1),
        b"UID EXPUNGE %d:%d" % (gone.start, gone.stop - 1),
    )
    return Missed(uidvalidity, modseq, gone)


def _told(octets: bytes, missed: Missed) -> object:
    """Which missed changes a server told. It may also name other UIDs that are gone (RFC 7162 §3.2.5)."""
    vanished = [response for response in responses(octets) if response[0] == b"VANISHED"]
    gone = set[int]().union(*[uid_set(response[-1]) for response in vanished])
    return len(gone & set(missed.gone)), messages(octets, b"UID", b"FLAGS")
