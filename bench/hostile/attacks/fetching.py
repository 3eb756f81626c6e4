"""FETCH and STORE commands of few octets whose answers are very large."""

from __future__ import annotations

from base64 import encodebytes

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.attacks.messages import many_parts
from bench.hostile.client import HostileClient, shown

PARTS = 10_000


def _put_parts(stage: Stage) -> None:
    stage.append([many_parts(PARTS)])


def _fetch(stage: Stage, items: bytes) -> str:
    client = stage.imap(mailbox="INBOX")
    return _asked(client, b"FETCH 1 (%b)" % items)


def _asked(client: HostileClient, command: bytes) -> str:
    before = client.octets
    answer = client.ask(command)
    return f"{shown(answer)} and {(client.octets - before) / 1e6:.1f} MB"


def _sections(count: int) -> bytes:
    return b" ".join(b"BODY.PEEK[%d.MIME]" % (PARTS - number) for number in range(count))


def _few_sections(stage: Stage) -> str:
    return _fetch(stage, _sections(150))


def _some_sections(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    got = [_asked(client, b"FETCH 1 (%b)" % _sections(250)) for _ in range(2)]
    return got[-1]


def _many_sections(stage: Stage) -> str:
    return _fetch(stage, _sections(9_000)[:240_000].rpartition(b" ")[0])


def _put_large(stage: Stage) -> None:
    stage.append([b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 250])


def _partials(stage: Stage) -> str:
    return _fetch(stage, b" ".join(b"BODY.PEEK[]<0.%d>" % (240_000 - number) for number in range(3_700)))


def _few_partials(stage: Stage) -> str:
    return _fetch(stage, b" ".join(b"BODY.PEEK[]<0.%d>" % (240_000 - number) for number in range(200)))


def _unread_partials(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX", receive_buffer=65536)
    items = b" ".join(b"BODY.PEEK[]<0.%d>" % (240_000 - number) for number in range(200))
    client.send(b"a FETCH 1 (%b)\r\n" % items * 4)
    stage.rest(2)
    return "not read"


BINARY_HEADER = b"MIME-Version: 1.0\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: %b\r\n\r\n"


def _put_encoded(stage: Stage) -> None:
    size = 8_000_000 if stage.is_short else 44_000_000
    attachment = encodebytes(bytes(range(256)) * (size // 256)).replace(b"\n", b"\r\n")
    stage.append([BINARY_HEADER % b"base64" + attachment])


def _put_quoted(stage: Stage) -> None:
    size = 8_000_000 if stage.is_short else 60_000_000
    stage.append([BINARY_HEADER % b"quoted-printable" + b"=00=01=02=\r\n" * (size // 12)])


def _binaries(stage: Stage) -> str:
    return _fetch(stage, b" ".join(b"BINARY.PEEK[1]<%d.1>" % number for number in range(15)))


def _whole_binaries(stage: Stage) -> str:
    return _fetch(stage, b"BINARY.SIZE[1] BINARY.PEEK[1] BINARY.PEEK[1]<1.90000000>")


def _put_copies(stage: Stage) -> None:
    stage.append([b"Subject: %d\r\n\r\nx\r\n" % number for number in range(10)])
    client = stage.imap(mailbox="INBOX")
    for _ in range(9 if stage.is_short else 12):
        client.ask(b"COPY 1:* INBOX")


def _keywords(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX", receive_buffer=65536)
    words = b" ".join(b"keyword-that-is-as-long-as-one-may-well-be-%03d" % number for number in range(300))
    client.send(b"a STORE 1:* +FLAGS (%b)\r\n" % words)
    stage.rest(2 if stage.is_short else 10)
    return "not read"


def _heard_keywords(stage: Stage) -> str:
    """One session stores flags; another is told of them and does not read."""
    listener = stage.imap(mailbox="INBOX", receive_buffer=65536)
    words = b" ".join(b"keyword-that-is-as-long-as-one-may-well-be-%03d" % number for number in range(300))
    client = stage.imap(mailbox="INBOX")
    answer = client.ask(b"STORE 1:* +FLAGS.SILENT (%b)" % words)
    listener.send(b"a NOOP\r\n")
    stage.rest(2 if stage.is_short else 8)
    return shown(answer)


def _choices(stage: Stage) -> str:
    items = b" ".join(b"BODY.PEEK[HEADER.FIELDS (X%d)]" % number for number in range(2_100))
    return _fetch(stage, items)


ROWS = (
    Attack(
        key="sections-150",
        who=Who.USER,
        what="FETCH of 150 sections of one mail of 10,000 parts",
        before="stall 7 s, 2.3 s of processor",
        prepare=_put_parts,
        run=_few_sections,
    ),
    Attack(
        key="sections-500",
        who=Who.USER,
        what="two FETCHes of 250 sections of that mail",
        before="13.7 s of processor",
        prepare=_put_parts,
        run=_some_sections,
        is_in_short=False,
    ),
    Attack(
        key="sections-9000",
        who=Who.USER,
        what="as many sections as fit on a line",
        before="over 90 s of processor",
        prepare=_put_parts,
        run=_many_sections,
        is_in_short=False,
    ),
    Attack(
        key="partials",
        who=Who.USER,
        what="a command of 88 KB of partials of a mail of 250 KB",
        before="1.5 GB",
        prepare=_put_large,
        run=_partials,
    ),
    Attack(
        key="partials-200",
        who=Who.USER,
        what="200 partials of a mail of 250 KB",
        before="",
        prepare=_put_large,
        run=_few_partials,
        is_in_short=False,
    ),
    Attack(
        key="partials-unread",
        who=Who.USER,
        what="four times 200 partials of a mail of 250 KB, unread",
        before="",
        prepare=_put_large,
        run=_unread_partials,
    ),
    Attack(
        key="binary-base64",
        who=Who.USER,
        what="330 octets of partials of BINARY of a mail of 60 MB",
        before="1.2 GB",
        prepare=_put_encoded,
        run=_binaries,
    ),
    Attack(
        key="binary-qp",
        who=Who.USER,
        what="the same in quoted-printable",
        before="",
        prepare=_put_quoted,
        run=_binaries,
        is_in_short=False,
    ),
    Attack(
        key="binary-whole",
        who=Who.USER,
        what="BINARY.SIZE and BINARY of a mail of 60 MB in quoted-printable",
        before="",
        prepare=_put_quoted,
        run=_whole_binaries,
    ),
    Attack(
        key="keywords",
        who=Who.USER,
        what="STORE of 300 keywords on 40,960 messages, unread",
        before="1.1 GB",
        prepare=_put_copies,
        run=_keywords,
    ),
    Attack(
        key="keywords-heard",
        who=Who.USER,
        what="the same in another session, heard and not read",
        before="",
        prepare=_put_copies,
        run=_heard_keywords,
        is_in_short=False,
    ),
    Attack(
        key="header-choices",
        who=Who.USER,
        what="FETCH of 2,100 choices of header fields",
        before="SERVERBUG",
        prepare=_put_large,
        run=_choices,
        is_in_short=False,
    ),
)
