"""Rows of a client that sends a literal and its CRLF in two writes, with Nagle's algorithm on, as imaplib does.

The second write leaves the client only when the first is acknowledged, and a kernel may delay that by 40 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.answers import numbers
from bench.client import SplitLiteralClient
from bench.mail import Generator
from bench.rows.arriving import contents_of
from bench.rows.registry import PASSWORD, READER, WRITER, Bench, Measured, row

APPENDS, SEARCHES = 50, 20


@row("append-apart", f"{APPENDS} x APPEND, its CRLF sent apart, Nagle on", ratio=1.0)
def append_apart(bench: Bench) -> Measured:
    looking = bench.imap(WRITER)
    looking.run(b"CREATE apart")
    client = SplitLiteralClient(bench.address("imap"), WRITER, PASSWORD)
    mail = bench.mail[:APPENDS]
    with bench.stopwatch() as watch:
        for each in mail:
            client.run_with_literal(b"APPEND apart", each.raw)
    client.close()
    contents = contents_of(looking, b"apart")
    looking.run(b"CLOSE")
    looking.run(b"DELETE apart")
    return watch.measured(lambda: contents)


@row("search-apart", f"{SEARCHES} x UID SEARCH, its CRLF sent apart, Nagle on", ratio=1.0)
def search_apart(bench: Bench) -> Measured:
    # words that the row "subject" does not search for
    words: Sequence[str] = Generator().vocabulary[200 : 200 + SEARCHES]
    client = SplitLiteralClient(bench.address("imap"), READER, PASSWORD)
    client.run(b"SELECT INBOX")
    with bench.stopwatch() as watch:
        answers = [client.run_with_literal(b"UID SEARCH SUBJECT", word.encode()) for word in words]
    client.close()
    return watch.measured(lambda: [sorted(found) for answer in answers for found in numbers(answer.octets, b"SEARCH")])
