"""APPENDs of many messages at once."""

from __future__ import annotations

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.client import shown


def _ten_thousand(stage: Stage) -> str:
    client = stage.imap()
    client.send(b"a APPEND INBOX" + b" {3+}\r\nx\r\n" * 10_000 + b"\r\n")
    return shown(client.until(b"a "))


def _thousand(stage: Stage) -> str:
    client = stage.imap()
    got = b""
    for _ in range(2 if stage.is_short else 5):
        client.send(b"a APPEND INBOX" + b" {3+}\r\nx\r\n" * 1000 + b"\r\n")
        got = client.until(b"a ")
    return shown(got)


ROWS = (
    Attack(
        key="append-10000",
        who=Who.USER,
        what="an APPEND of 10,000 messages of 3 octets",
        before="",
        run=_ten_thousand,
    ),
    Attack(
        key="append-1000",
        who=Who.USER,
        what="APPENDs of 1,000 messages of 3 octets, the most that one may have",
        before="",
        run=_thousand,
    ),
)
