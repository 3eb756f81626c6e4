"""Mails that are expensive to parse, by LMTP and by APPEND."""

from __future__ import annotations

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.attacks.messages import COSTLY, HEADER, LONG_TEXTS, large, long_text, many_parts
from bench.hostile.client import shown


def _deliver_parts(stage: Stage) -> str:
    answers = [stage.deliver(many_parts(10_000)) for _ in range(2 if stage.is_short else 8)]
    return shown(answers[-1])


def _append_at_once(stage: Stage) -> str:
    mails = [many_parts(10_000)] * (8 if stage.is_short else 40)
    return _appended(stage, mails)


def _appended(stage: Stage, mails: list[bytes]) -> str:
    client = stage.imap()
    client.send(b"a APPEND INBOX " + b" ".join(b"{%d+}\r\n%b" % (len(mail), mail) for mail in mails) + b"\r\n")
    return shown(client.until(b"a (?:OK|NO|BAD)"))


def _costly(stage: Stage) -> str:
    answers = [stage.deliver(make()) for make in COSTLY.values()]
    return f"{sum(answer.startswith(b'250') for answer in answers)} of {len(answers)} were taken"


def _large(stage: Stage) -> str:
    size = 16_000_000 if stage.is_short else 60_000_000
    kinds = (
        (b"text/plain", b"x" * 998),
        (b"text/html", b"<p>a &amp; b"),
        (b"text/plain", b"\r\n"),
        (b"multipart/mixed; boundary=b", b"\r\n--c"),
        (b"text/plain\r\nContent-Transfer-Encoding: base64", b"QUJDREVG\r\n"),
    )
    answers = [stage.deliver(large(kind, line, size)) for kind, line in kinds[: 2 if stage.is_short else None]]
    return f"{sum(answer.startswith(b'250') for answer in answers)} of {len(answers)} were taken"


def _long_texts(stage: Stage) -> str:
    kinds = list(LONG_TEXTS)[: 3 if stage.is_short else None]
    answers = [stage.deliver(long_text(kind)) for kind in kinds]
    stage.imap(mailbox="INBOX").ask(b"SEARCH BODY zzz")
    return f"{sum(answer.startswith(b'250') for answer in answers)} of {len(answers)} were taken"


def _large_header(stage: Stage) -> str:
    size = 4_000_000 if stage.is_short else 40_000_000
    mails = (
        HEADER + b"X: " + b"y" * size + b"\r\n\r\nx\r\n",
        HEADER + b"X: y\r\n" * (size // 6) + b"\r\nx\r\n",
        HEADER + b"To: " + b"a@b, " * (size // 5) + b"\r\n\r\nx\r\n",
    )
    answers = [stage.deliver(mail) for mail in mails]
    return f"{sum(answer.startswith(b'250') for answer in answers)} of {len(answers)} were taken"


def _many_in_one(stage: Stage) -> str:
    """60 messages, each small enough for a spool to keep it in memory; the command never ends."""
    client = stage.imap()
    mail = b"Subject: x\r\n\r\n" + b"x" * 1_000_000
    client.send(b"a APPEND INBOX")
    for _ in range(60):
        client.send(b" {%d+}\r\n%b" % (len(mail), mail))
    stage.rest(0.5)
    return "not ended"


ROWS = (
    Attack(
        key="parts-lmtp",
        who=Who.STRANGER,
        what="mails of 10,000 parts in 255 KiB",
        before="p99 2.7 s, 0.4 s of processor in the loop",
        run=_deliver_parts,
    ),
    Attack(
        key="parts-append",
        who=Who.MAIL,
        what="40 of them in one APPEND",
        before="stall 29 s",
        run=_append_at_once,
    ),
    Attack(
        key="costly",
        who=Who.MAIL,
        what="other costly mails of 255 KiB, by LMTP",
        before="",
        run=_costly,
    ),
    Attack(
        key="long-texts",
        who=Who.MAIL,
        what="mails with texts of 6 MB that cost much to decode, and a SEARCH for a word in them",
        before="stall 2.4 s",
        run=_long_texts,
        # one mail is delivered while another is indexed and a third is searched
        growth_mb=2 * 64.0,
    ),
    Attack(
        key="large",
        who=Who.MAIL,
        what="mails of 60 MB, of lines that cost much",
        before="",
        run=_large,
    ),
    Attack(
        key="large-header",
        who=Who.MAIL,
        what="headers of 40 MB",
        before="",
        run=_large_header,
    ),
    Attack(
        key="multiappend",
        who=Who.USER,
        what="60 messages of 1 MB in one APPEND that does not end",
        before="60 MiB a session",
        run=_many_in_one,
        # a session's spools have a smaller bound of their own
        growth_mb=16,
    ),
)
