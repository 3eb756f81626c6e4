"""The grammar of Dovecot's authentication protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.mta.sasl_lines import Auth, Cancel, Cont, Cpid, Version, escaped, parse
from mektup.terms.errors import ClientError


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"VERSION\t1\t2", Version(1)),
        (b"VERSION\t1", Version(1)),
        (b"CPID\t4294967295", Cpid(4294967295)),
        (b"AUTH\t7\tplain\tservice=smtp\tresp=AGEAYg==", Auth(7, "PLAIN", {"service": "smtp"}, b"AGEAYg==")),
        (b"AUTH\t7\tPLAIN\tresp=", Auth(7, "PLAIN", {}, b"")),
        (b"AUTH\t7\tPLAIN", Auth(7, "PLAIN", {}, None)),
        (
            b"AUTH\t0\tSCRAM-SHA-256\tservice=smtp\tnologin\tlip=::1\trip=192.0.2.7\tsecured\tunknown=a=b",
            Auth(
                0,
                "SCRAM-SHA-256",
                {"service": "smtp", "nologin": "", "lip": "::1", "rip": "192.0.2.7", "secured": "", "unknown": "a=b"},
                None,
            ),
        ),
        (b"AUTH\t1\tPLAIN\tx=a\x01tb\x01nc\x01\x01\x01", Auth(1, "PLAIN", {"x": "a\tb\nc\x01"}, None)),
        (b"AUTH\t1\tPLAIN\tx=\xff", Auth(1, "PLAIN", {"x": "\\xff"}, None)),
        # the response is the last parameter, whatever it is made of
        (
            b"AUTH\t1\tPLAIN\tservice=smtp\tresp=a\tservice=imap",
            Auth(1, "PLAIN", {"service": "smtp"}, b"a\tservice=imap"),
        ),
        (b"CONT\t7\tAGEAYg==", Cont(7, b"AGEAYg==")),
        (b"CONT\t7\t", Cont(7, b"")),
        (b"CONT\t7", Cont(7, b"")),
        (b"CONT\t7\ta\tb", Cont(7, b"a\tb")),
        (b"CANCEL\t7", Cancel(7)),
    ],
)
def test_a_line_is_a_command(line: bytes, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b"\t",
            b"VERSION",
            b"VERSION\t",
            b"VERSION\tx",
            b"version\t1\t1",
            b"CPID",
            b"CPID\t-1",
            b"CPID\t4294967296",
        ),
        *(b"AUTH", b"AUTH\t1", b"AUTH\tx\tPLAIN", b"AUTH\t1\t", b"AUTH\t1\tPLA IN", b"AUTH\t1\t" + b"X" * 21),
        *(b"CONT", b"CONT\t", b"CONT\t1x", b"CANCEL", b"REQUEST\t1\t2\t3\t4", b"GET / HTTP/1.1", b"\xff\x00"),
        b"AUTH\t\xd9\xa1\tPLAIN",
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ClientError):
        parse(line)


@given(st.binary(max_size=200))
def test_no_line_is_too_much(line: bytes) -> None:
    for octets in (line, b"AUTH\t1\tPLAIN\t" + line, b"CONT\t1\t" + line):
        try:
            parse(octets)
        except ClientError:
            pass


@given(st.text())
def test_a_value_survives(text: str) -> None:
    written = escaped(text)
    assert not set("\0\t\r\n") & set(written)
    try:
        octets = written.encode()
    except UnicodeEncodeError:
        return
    command = parse(b"AUTH\t1\tPLAIN\tx=" + octets)
    assert isinstance(command, Auth)
    assert command.parameters == {"x": text}
