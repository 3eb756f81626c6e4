"""Lines of a passwd-file."""

from __future__ import annotations

import pytest

from mektup.cli.passwd_file import PasswdFileError, lines


@pytest.mark.parametrize(
    ("line", "name", "secret"),
    [
        ("linda:{PLAIN}Pa$$123", "linda", "{PLAIN}Pa$$123"),
        ("linda:{PLAIN}with:colons: in it", "linda", "{PLAIN}with:colons: in it"),
        ("linda:{plain}pw:1000:1000::/home/linda::", "linda", "{plain}pw"),
        ("linda:{plain}pw::::::", "linda", "{plain}pw"),
        (
            "linda@example.org:{SHA512-CRYPT}$6$salt$hash:::::: extra=1",
            "linda@example.org",
            "{SHA512-CRYPT}$6$salt$hash",
        ),
        ("linda:{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$a$b", "linda", "{ARGON2ID}$argon2id$v=19$m=1,t=1,p=1$a$b"),
    ],
)
def test_a_line(line: str, name: str, secret: str) -> None:
    (read,) = lines(line)
    assert (read.name, read.secret) == (name, secret)


def test_comments_and_empty_lines_count_but_say_nothing() -> None:
    assert [read.number for read in lines("# a\n\nlinda:{PLAIN}x\n  # b\ndeniz:{PLAIN}y\n")] == [3, 5]


@pytest.mark.parametrize("line", ["linda", ":{PLAIN}x", "linda:", " :x"])
def test_what_is_no_account(line: str) -> None:
    with pytest.raises(PasswdFileError, match="line 2: expected name"):
        list(lines("\n" + line))
