"""What a mail transfer agent sends beside LMTP: lines of Dovecot's authentication protocol, and netstrings."""

from __future__ import annotations

from mektup.mta import sasl_lines
from mektup.mta.masking import tell_command
from mektup.mta.netstrings import NetstringBuffer, netstring
from mektup.session.tap import Answers
from mektup.terms.errors import ClientError
from mektup.terms.lines import LineBuffer
from reliability.fuzz.target import Target, pieces, require, same

SECRET = b"AGxpbmRhAFBhJCQxMjM="
FROM = b"service=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tsecured"


class _Shown:
    """A tap that looks whether the secret is shown."""

    wants_content = True

    def command(self, shown: bytes, answers: Answers = Answers.LINES) -> None:
        require(SECRET not in shown, "a secret is shown")

    def rest(self, shown: bytes) -> None:
        require(not shown, "nothing continues a line")

    def content(self, size: int, beginning: bytes | None) -> None:
        require(beginning is None, "there is no content")

    def hidden(self, size: int | None) -> None:
        """Shows nothing."""


def sasl(octets: bytes) -> None:
    """A line is a command, or refused with a readable text; a trace never shows a response."""
    buffer = LineBuffer(8192)
    buffer.feed(octets + b"\n")
    while True:
        try:
            line = buffer.next_line()
        except ClientError:
            continue
        if line is None:
            return
        tell_command(_Shown(), line)
        try:
            command = sasl_lines.parse(line)
        except ClientError as error:
            require(str(error).isprintable(), "a text for the client is not printable")
            continue
        if isinstance(command, sasl_lines.Auth):
            for value in command.parameters.values():
                require(not set("\0\t\r\n") & set(sasl_lines.escaped(value)), "a value ends early")


def netstrings(octets: bytes) -> None:
    """The strings are the same however they arrive, and make the same octets again."""
    whole, cut = _strings([octets]), _strings(pieces(octets))
    same(cut, whole, "in pieces there are other strings")
    found = [string for string in whole if string is not None]
    same(_strings([b"".join(map(netstring, found))]), found, "strings change when they are written")


def _strings(arriving: list[bytes]) -> list[bytes | None]:
    """The strings, and None where the stream is broken."""
    buffer, found = NetstringBuffer(8192), list[bytes | None]()
    for piece in arriving:
        buffer.feed(piece)
        try:
            while (string := buffer.next()) is not None:
                found.append(string)
        except ClientError:
            return [*found, None]
    return found


TARGETS = (
    Target(
        "sasl-lines",
        "lines of Dovecot's authentication protocol",
        sasl,
        lambda: [
            b"VERSION\t1\t1\nCPID\t7\n",
            b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + SECRET + b"\n",
            b"AUTH\t2\tLOGIN\t" + FROM + b"\nCONT\t2\t" + SECRET + b"\n",
            b"CANCEL\t2\n",
        ],
        (
            *(
                b"VERSION",
                b"CPID",
                b"AUTH",
                b"CONT",
                b"CANCEL",
                b"\t",
                b"\n",
                b"=",
                b"\x01t",
                b"\x01",
                b"resp=",
                b"rip=",
            ),
            *(b"service=smtp", b"secured", b"PLAIN", b"SCRAM-SHA-256", b"4294967296", SECRET),
        ),
        ((b"AUTH\t1\tPLAIN\t", b"\n"), (b"AUTH\t1\tPLAIN\tresp=", b"\n"), (b"CONT\t1\t", b"\n")),
        largest=8192,
    ),
    Target(
        "netstrings",
        "netstrings, in which Postfix asks for addresses",
        netstrings,
        lambda: [b"27:recipients ada@example.org,", b"0:,", b"19:domains example.org,1:x,"],
        (b":", b",", b"0", b"9", b"recipients ", b"domains ", b"senders ", b"@", b"8192:", b"8193:"),
        ((b"9:", b","), (b"", b"")),
        largest=8192,
    ),
)
