"""Rows that add messages to a mailbox, and remove them, so that the next run begins with the same mailbox."""

from __future__ import annotations

import re

from bench.answers import literals
from bench.client import ImapClient
from bench.rows.registry import WRITER, Bench, Measured, row

COPIES = 1000


@row("copy", f"UID COPY 1:{COPIES}, then delete and EXPUNGE them", ratio=0.8)
def copy(bench: Bench) -> Measured:
    client = bench.imap()
    count = min(COPIES, bench.messages)
    client.run(b"CREATE copies")
    with bench.stopwatch() as watch:
        client.run(b"UID COPY 1:%d copies" % count)
    looking = bench.new_imap()
    contents = contents_of(looking, b"copies")
    looking.close()
    with watch:
        client.run(b"SELECT copies")
        client.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        expunged = client.run(b"EXPUNGE").octets
    client.run(b"SELECT INBOX")
    left = client.run(b"STATUS copies (MESSAGES)").octets
    client.run(b"DELETE copies")
    return watch.measured(
        lambda: [contents, len(re.findall(rb"(?m)^\* \d+ EXPUNGE", expunged)), re.findall(rb"MESSAGES (\d+)", left)]
    )


APPENDS = 200


@row("append", f"{APPENDS} x APPEND, one by one, each durable", ratio=0.5)
def append(bench: Bench) -> Measured:
    client = bench.imap(WRITER)
    client.run(b"CREATE appended")
    commands = [b"APPEND appended " + mail.arguments for mail in bench.mail[:APPENDS]]
    with bench.stopwatch() as watch:
        for command in commands:
            client.run(command)
    contents = contents_of(client, b"appended")
    client.run(b"CLOSE")
    client.run(b"DELETE appended")
    return watch.measured(lambda: contents)


DELIVERIES = 300


@row("lmtp", f"{DELIVERIES} x LMTP delivery, one by one, each durable", ratio=0.5)
def lmtp(bench: Bench) -> Measured:
    deliverer, client = bench.lmtp(), bench.imap(WRITER)
    mail = bench.mail[:DELIVERIES]
    with bench.stopwatch() as watch:
        for each in mail:
            deliverer.deliver(each.raw)
    contents = contents_of(client, b"INBOX")
    client.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    client.run(b"CLOSE")
    return watch.measured(lambda: contents)


def contents_of(client: ImapClient, mailbox: bytes) -> list[bytes]:
    """The messages of *mailbox*, which stays selected.

    Header fields above From are left out, because Dovecot's LMTP writes trace fields there.
    """
    client.run(b"SELECT " + mailbox)
    raws = literals(client.run(b"FETCH 1:* (BODY.PEEK[])").octets)
    return [raw[raw.index(b"\r\nFrom: ") :] for raw in raws]
