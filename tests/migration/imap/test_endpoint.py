"""The address of a server as it is typed, and the table of users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.migration.imap.endpoint import Endpoint, endpoint_of, is_endpoint
from mektup.migration.imap.errors import Untrusted
from mektup.migration.imap.login import Credentials
from mektup.migration.imap.stream import Security
from mektup.migration.imap.users import User, UsersFileError, users_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("imaps://mail.example.org", Endpoint("imaps", "mail.example.org", 993, "")),
        ("imaps://linda@mail.example.org/", Endpoint("imaps", "mail.example.org", 993, "linda")),
        (
            "IMAPS://linda%40example.org@Mail.example.org:1993",
            Endpoint("imaps", "mail.example.org", 1993, "linda@example.org"),
        ),
        ("imap://linda@[::1]:1143", Endpoint("imap", "::1", 1143, "linda")),
        ("imaps://linda@example.org@mail.example.org", Endpoint("imaps", "mail.example.org", 993, "linda@example.org")),
    ],
)
def test_an_address(text: str, found: Endpoint) -> None:
    assert is_endpoint(text)
    assert endpoint_of(text) == found


@pytest.mark.parametrize(
    "text", ["imaps://", "imaps://host:port", "imaps://host:0", "imaps://host/INBOX", "imap://host?x", "pop3://host"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Untrusted, match="imaps://linda@"):
        endpoint_of(text)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(Untrusted) as refused:
        endpoint_of("imaps://linda:s3cret@host")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(Untrusted) as refused:
        endpoint_of("imaps://linda:s3cret@host:port")
    assert "s3cret" not in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        endpoint_of("imaps://" + text)
    except Untrusted:
        pass


def test_how_the_connection_is_encrypted() -> None:
    def security(url: str) -> tuple[Security, bool]:
        address = endpoint_of(url).address(None, insecure=False)
        return address.security, address.insecure

    assert security("imaps://localhost") == (Security.TLS, False)
    assert security("imap://mail.example.org") == (Security.STARTTLS, False)
    assert security("imap://127.0.0.1") == (Security.NONE, True)
    assert security("imap://localhost") == (Security.NONE, True)


# The table of users


def users(text: str, **more: str | None) -> list[User]:
    return users_of(text.encode(), None, more.get("password"), more.get("master"))


def test_a_table_of_users() -> None:
    table = '\ufeffuser,password,account\r\nlinda@example.org,"a,""b",linda\r\n# a comment\r\n\r\nfred,x,\r\n'
    assert users(table) == [
        User(2, Credentials("linda@example.org", password='a,"b'), "linda"),
        User(5, Credentials("fred", password="x"), "fred"),
    ]


def test_tokens_and_a_master_user() -> None:
    assert users("user,token\nlinda,t0ken\n") == [User(2, Credentials("linda", token="t0ken"), "linda")]
    one = Credentials("linda", password="secret", master="admin")
    assert users("user\nlinda\n", password="secret", master="admin") == [User(2, one, "linda")]
    assert users("user,password,master\nlinda,secret,admin\n") == [User(2, one, "linda")]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("linda,secret\n", "first line"),
        ("user,color\nlinda,red\n", "first line"),
        ("user,user\nlinda,x\n", "first line"),
        ("user,password\nlinda\n", "line 2"),
        ("user,password\nlinda,\n", "line 2"),
        ("user,password\n,x\n", "line 2"),
        ("user,password,token\nlinda,x,y\n", "line 2"),
        ('user,password\nlinda,"x\n', "line 2"),
        ("user,password,account\na,x,linda\nb,x,linda\n", "line 3"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(table: str, problem: str) -> None:
    with pytest.raises(UsersFileError, match=problem):
        users(table)


def test_a_table_that_is_not_utf_8() -> None:
    with pytest.raises(UsersFileError, match="UTF-8"):
        users_of(b"user,password\nlinda,\xff\n", None, None, None)


def test_the_errors_do_not_repeat_passwords() -> None:
    with pytest.raises(UsersFileError) as refused:
        users("user,password\nlinda,s3cret,more\n")
    assert "s3cret" not in str(refused.value)


@given(st.text(alphabet='user,pasword\n"x\r', max_size=60))
def test_any_text_is_a_table_or_refused(text: str) -> None:
    try:
        users("user,password\n" + text)
    except UsersFileError:
        pass
