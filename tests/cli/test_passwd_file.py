"""Lines of a passwd-file."""

from __future__ import annotations

import pytest

from mektup.cli.passwd_file import PasswdFileError, account, numbered


@pytest.mark.parametrize(
    ("line", "name", "secret"),
    [
        ("linda:{PLAIN}Pa$$123", "linda", "{PLAIN}Pa$$123"),
        ("linda:{PLAIN}with:colons: in it", "linda", "{PLAIN}with:colons: in it"),
        ("linda:{CLEARTEXT}blank behind ", "linda", "{CLEARTEXT}blank behind "),
        ("linda:{plain}pw:1000:1000::/home/linda::", "linda", "{plain}pw"),
        ("linda:{plain}pw:1000:1000", "linda", "{plain}pw"),
        ("linda:{plain}pw:1000:1000::/home/linda", "linda", "{plain}pw"),
        ("linda:{plain}pw::::::", "linda", "{plain}pw"),
        ("linda:{plain}pw:vmail:vmail:Linda:/home/linda:/bin/sh:userdb_mail=maildir:~/Mail x=1", "linda", "{plain}pw"),
        (
            "linda@example.org:{SHA512-CRYPT}$6$salt$hash:::::: extra=1",
            "linda@example.org",
            "{SHA512-CRYPT}$6$salt$hash",
        ),
        ("linda:{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$a$b", "linda", "{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$a$b"),
        ("linda:{SSHA}abc= ", "linda", "{SSHA}abc="),
        ("linda:$6$salt$hash:19000:0:99999:7:::", "linda", "$6$salt$hash"),
        (" linda :{SHA}x", "linda", "{SHA}x"),
        ("\u00e7i\u011fdem:{PLAIN}g\u00fcn\u0085\u2028", "çiğdem", "{PLAIN}gün\u0085\u2028"),
        ("linda:{PLAIN}#1", "linda", "{PLAIN}#1"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line(line: str, name: str, secret: str, end: str, mark: str) -> None:
    ((number, octets),) = numbered(f"{mark}{line}{end}".encode())
    read = account(number, octets)
    assert (read.number, read.name, read.secret) == (1, name, secret)


def test_comments_and_empty_lines_count_but_say_nothing() -> None:
    lines = numbered(b"# a\n\nlinda:{PLAIN}x\r\n  # b\r\n \t \r\ndeniz:{PLAIN}y\n\r\n")
    assert [number for number, _ in lines] == [3, 6]


@pytest.mark.parametrize("line", ["linda", ":{PLAIN}x", "linda:", " :x", "linda::1000:1000::/home/linda::"])
def test_lines_that_are_no_account(line: str) -> None:
    with pytest.raises(PasswdFileError, match="expected name"):
        account(2, line.encode())


def test_a_name_is_shown_printable() -> None:
    with pytest.raises(PasswdFileError) as caught:
        account(1, "\ufefflinda\x1b[2J:".encode())
    assert str(caught.value).isprintable()


def test_a_line_that_is_not_utf8_says_where() -> None:
    with pytest.raises(PasswdFileError, match="not UTF-8 at octet 4"):
        account(1, "çi".encode() + b"\xff")
    with pytest.raises(PasswdFileError, match="not UTF-8 at octet 2"):
        account(1, b"a\xe7:{PLAIN}x")
