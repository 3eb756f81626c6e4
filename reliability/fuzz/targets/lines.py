"""The lines of LMTP and POP3, the data of LMTP, and the answers of several lines of POP3."""

from __future__ import annotations

from mektup.delivery.trace import ReturnPathRemover
from mektup.lmtp import commands as lmtp
from mektup.lmtp.data import Unstuffer
from mektup.pop3 import commands as pop3
from mektup.pop3.commands import Pop3State
from mektup.pop3.multiline import Stuffer, TopCutter
from mektup.terms.errors import ClientError
from mektup.terms.lines import LineBuffer
from reliability.fuzz import corpus
from reliability.fuzz.target import Target, pieces, require, same

LINES = (b"\r\n", b"\n", b"\r", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"\r\n..", b"\0", b"\r\r\n", b"\r\0\r\n")


def lmtp_lines(octets: bytes) -> None:
    """A line of LMTP is a command, or refused with a readable text."""
    for line in _split(octets):
        try:
            command = lmtp.parse(line)
        except ClientError as error:
            require(str(error).isprintable(), "a text for the client is not printable")
            continue
        if isinstance(command, lmtp.Rcpt):
            address = command.recipient
            again = lmtp.parse(f"RCPT TO:<{address}>".encode())
            same(again, command, "an address changes when it is written")


def pop3_lines(octets: bytes) -> None:
    """A line of POP3 is a command, or refused with a readable text."""
    for line in _split(octets):
        for state in Pop3State:
            try:
                pop3.parse(line, state)
            except ClientError as error:
                require(str(error).isprintable(), "a text for the client is not printable")


def _split(octets: bytes) -> list[bytes]:
    """The lines in *octets*: the same ones however they arrive."""
    whole, cut = _lines([octets]), _lines(pieces(octets))
    same(cut, whole, "in pieces there are other lines")
    return [line for line in whole if line is not None]


def _lines(arriving: list[bytes]) -> list[bytes | None]:
    buffer = LineBuffer(512)
    found: list[bytes | None] = []
    for piece in arriving:
        buffer.feed(piece)
        while True:
            try:
                line = buffer.next_line()
            except ClientError:
                found.append(None)
                continue
            if line is None:
                break
            found.append(line)
    return found


def data(octets: bytes) -> None:
    """The octets after DATA: the same message however they arrive; and what POP3 stuffs, LMTP unstuffs."""
    whole = _unstuffed([octets])
    same(_unstuffed(pieces(octets)), whole, "in pieces there is another message")
    stuffer = Stuffer()
    sent = b"".join([*map(stuffer.take, pieces(octets)), stuffer.finish()])
    require(sent.endswith(b"\r\n.\r\n") or sent == b".\r\n", "an answer has no end")
    require(sent.find(b"\r\n.\r\n") in (-1, len(sent) - 5), "an answer ends early")
    if b"\n." not in octets.replace(b"\r\n.", b""):
        message, rest = _unstuffed([sent])
        same((message, rest), (octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n", b""), "stuffing")
    for count in (0, 1, 5):
        one, many = TopCutter(count), TopCutter(count)
        same(b"".join(map(many.take, pieces(octets))), one.take(octets), "TOP differs in pieces")
    _remove_return_path(octets)


def _remove_return_path(octets: bytes) -> None:
    one, many = ReturnPathRemover(), ReturnPathRemover()
    whole = one.take(octets) + one.rest()
    same(b"".join([*map(many.take, pieces(octets)), many.rest()]), whole, "Return-Path in pieces")
    # with a line end before it, as the header of a message that begins with an empty line is empty
    header = (b"\n" + whole.replace(b"\r\n", b"\n")).partition(b"\n\n")[0]
    if len(octets) < 10_000 and b"\n\n" in octets.replace(b"\r\n", b"\n"):
        require(b"\nreturn-path:" not in header.lower(), "a Return-Path is left")


def _unstuffed(arriving: list[bytes]) -> tuple[bytes, bytes | None]:
    unstuffer = Unstuffer()
    message, rest = b"", None
    for at, piece in enumerate(arriving):
        given, rest = unstuffer.take(piece)
        message += given
        if rest is not None:
            return message, rest + b"".join(arriving[at + 1 :])
    return message, rest


TARGETS = (
    Target(
        "lmtp",
        "LMTP commands, and the lines they come in",
        lmtp_lines,
        lambda: corpus.sent("lmtp"),
        (
            b"LHLO ",
            b"MAIL FROM:",
            b"RCPT TO:",
            b"DATA",
            b"RSET",
            b"VRFY",
            b"HELP",
            b"NOOP",
            b"QUIT",
            b"<",
            b">",
            b"@",
            b'"',
            b"\\",
            b" SIZE=",
            b" BODY=8BITMIME",
            b" SMTPUTF8",
            b"a@b",
            b"[1.2.3.4]",
            b"[IPv6:::1]",
            b"+",
            b"xn--",
            b",",
            b":",
            b"\xc3\xa9",
            *LINES,
        ),
        (
            (b"", b"\r\n"),
            (b"MAIL FROM:<", b">\r\n"),
            (b"RCPT TO:<", b">\r\n"),
            (b'RCPT TO:<"', b'"@b>\r\n'),
            (b"MAIL FROM:<a@b> ", b"\r\n"),
            (b"LHLO ", b"\r\n"),
            (b"RCPT TO:<@", b":a@b>\r\n"),
        ),
        longest=1500,
        is_one_answer=False,
    ),
    Target(
        "pop3",
        "POP3 commands, and the lines they come in",
        pop3_lines,
        lambda: corpus.sent("pop3"),
        (
            b"USER ",
            b"PASS ",
            b"APOP ",
            b"AUTH ",
            b"PLAIN",
            b"STAT",
            b"LIST",
            b"RETR ",
            b"DELE ",
            b"TOP ",
            b"UIDL",
            b"CAPA",
            b"STLS",
            b"UTF8",
            b"RSET",
            b"QUIT",
            b"NOOP",
            b"1",
            b" ",
            b"-1",
            b"\xc3\xa9",
            *LINES,
        ),
        ((b"", b"\r\n"), (b"USER ", b"\r\n"), (b"TOP ", b"\r\n"), (b"AUTH PLAIN ", b"\r\n")),
        longest=1500,
        is_one_answer=False,
    ),
    Target(
        "data",
        "DATA, dot-stuffing, TOP, Return-Path",
        data,
        lambda: (b"a\r\n.\r\nQUIT\r\n", *corpus.sent("lmtp"), *corpus.mail()),
        (*LINES, b"Return-Path: <a>\r\n", b"return-path :", b"\r\n\r\n", b" ", b"a"),
        longest=1500,
    ),
)
