"""Lines of LMTP become commands, or say what was expected."""

import pytest

from mektup.lmtp.commands import (
    Address,
    Command,
    CommandError,
    Data,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Vrfy,
    parse,
)
from mektup.terms.errors import ClientError

LINDA = Address("linda", "example.org")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"LHLO mail.example.org", Lhlo(b"mail.example.org")),
        (b"lhlo [192.0.2.1]", Lhlo(b"[192.0.2.1]")),
        (b"MAIL FROM:<linda@example.org>", Mail(LINDA)),
        (b"mail from:<linda@example.org>", Mail(LINDA)),
        (b"MAIL FROM: <linda@example.org> ", Mail(LINDA)),
        (b"MAIL FROM:<>", Mail(None)),
        (b"MAIL FROM:<> SIZE=12", Mail(None, 12)),
        (b"MAIL FROM:<linda@example.org> body=8bitmime size=0 SMTPUTF8", Mail(LINDA, 0, utf8=True)),
        (b"MAIL FROM:<linda@example.org>  BODY=7BIT", Mail(LINDA)),
        (b"RCPT TO:<linda@example.org>", Rcpt(LINDA)),
        (b"RCPT TO:<linda>", Rcpt(Address("linda", ""))),
        (b"RCPT TO:<@a.example,@b.example:linda@example.org>", Rcpt(LINDA)),
        (b"RCPT TO:<@[IPv6:2001:db8::1],@[192.0.2.1],@b.example:linda@example.org>", Rcpt(LINDA)),
        (b"RCPT TO:<@[IPv6:::1]:linda>", Rcpt(Address("linda", ""))),
        (b"RCPT TO:<linda+lists/python@example.org>", Rcpt(Address("linda+lists/python", "example.org"))),
        (b'RCPT TO:<"li\\"n d\\\\a"@example.org>', Rcpt(Address('li"n d\\a', "example.org"))),
        (b'RCPT TO:<"linda+Old Mail"@example.org>', Rcpt(Address("linda+Old Mail", "example.org"))),
        (b'RCPT TO:<"a>b@c"@example.org>', Rcpt(Address("a>b@c", "example.org"))),
        (b"RCPT TO:<.odd..dots.@example.org>", Rcpt(Address(".odd..dots.", "example.org"))),
        (b"RCPT TO:<linda@[IPv6:2001:db8::1]>", Rcpt(Address("linda", "[IPv6:2001:db8::1]"))),
        ("RCPT TO:<h\u00e9l\u00e8ne@ex\u00e4mple.org>".encode(), Rcpt(Address("h\u00e9l\u00e8ne", "ex\u00e4mple.org"))),
        (b"DATA", Data()),
        (b"data ", Data()),
        (b"RSET", Rset()),
        (b"VRFY linda", Vrfy()),
        (b"HELP", Help()),
        (b"NOOP anything at all", Noop()),
        (b"QUIT", Quit()),
    ],
)
def test_commands(line: bytes, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"LHLO", "501 5.5.4"),
        (b"DATA now", "501 5.5.4"),
        (b"QUIT now", "501 5.5.4"),
        (b"MAIL", "501 5.5.4"),
        (b"MAIL TO:<linda@example.org>", "501 5.5.4"),
        (b"MAIL FROM <linda@example.org>", "501 5.5.4"),
        (b"MAIL FROM:linda@example.org", "501 5.1.3"),
        (b"MAIL FROM:<linda@example.org", "501 5.1.3"),
        (b"MAIL FROM:<linda@example.org>SIZE=1", "501 5.1.3"),
        (b"MAIL FROM:<a b@example.org>", "501 5.1.3"),
        (b"MAIL FROM:<li@nda@example.org>", "501 5.1.3"),
        (b"MAIL FROM:<linda@example.org> SIZE=big", "501 5.5.4"),
        (b"MAIL FROM:<linda@example.org> SIZE", "501 5.5.4"),
        (b"MAIL FROM:<linda@example.org> SIZE=123456789012345678901", "501 5.5.4"),
        (b"MAIL FROM:<linda@example.org> BODY=BINARYMIME", "501 5.5.4"),
        ("MAIL FROM:<linda@example.org> BODY=8bıtmime".encode(), "501 5.5.4"),
        ("MAIL FROM\u2003:<linda@example.org>".encode(), "501 5.5.4"),
        (b"MAIL FROM:<linda@example.org> SMTPUTF8=yes", "501 5.5.4"),
        (b"MAIL FROM:<linda@example.org> RET=HDRS", "555 5.5.4"),
        (b"MAIL FROM:<linda@example.org> =", "501 5.5.4"),
        (b"RCPT TO:<>", "501 5.1.3"),
        (b"RCPT TO:<@example.org>", "501 5.1.3"),
        (b"RCPT TO:<@[::1:linda@example.org>", "501 5.1.3"),
        (b"RCPT TO:<@a.example:>", "501 5.1.3"),
        (b"RCPT TO:<" + b"@[a]" * 2000 + b">", "501 5.1.3"),
        (b"RCPT TO:<linda@example.org> NOTIFY=NEVER", "555 5.5.4"),
        (b"RCPT TO:<l\xefnda@example.org>", "501 5.1.3"),
        (b"RCPT TO:<lin\0da@example.org>", "501 5.1.3"),
        (b'RCPT TO:<"linda@example.org>', "501 5.1.3"),
        (b"EXPN staff", "502 5.5.1"),
        (b"BDAT 5 LAST", "502 5.5.1"),
        (b"STARTTLS", "502 5.5.1"),
    ],
)
def test_mistakes_with_a_reply_of_their_own(line: bytes, status: str) -> None:
    with pytest.raises(CommandError) as mistake:
        parse(line)
    assert mistake.value.status == status


@pytest.mark.parametrize("line", [b"", b"HELO x", b"EHLO x", b"GET / HTTP/1.1", b"\xff\xfe\0", b" LHLO x"])
def test_unknown_commands(line: bytes) -> None:
    with pytest.raises(ClientError) as mistake:
        parse(line)
    assert not isinstance(mistake.value, CommandError)


def test_helo_is_told_about_lhlo() -> None:
    with pytest.raises(ClientError, match="LHLO"):
        parse(b"EHLO mail.example.org")
