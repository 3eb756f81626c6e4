"""``mektup import`` from another server: what is typed, what is said, and the exit status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mektup import Server
from mektup.server.app import ThreadedServer
from tests.support.command import Done, mektup


@pytest.fixture
def old() -> Iterator[ThreadedServer]:
    """Another mektup, with a message for each of two users."""
    with Server(users={"linda": "Pa$$123", "fred": "Pa$$456"}).in_thread() as server:
        for user in ("linda", "fred"):
            server.deliver(user, f"Subject: for {user}\n\nhello\n")
        yield server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("linda", "fred"):
        assert mektup("user", "add", name, "--password-stdin", "--data", str(tmp_path / "d"), typed="x\n").status == 0
    return tmp_path / "d"


def url(old: ThreadedServer, user: str = "") -> str:
    return f"imap://{user + '@' if user else ''}127.0.0.1:{old.port('imap')}"


def take(data: Path, *words: str | Path, typed: str = "") -> Done:
    return mektup("import", *map(str, words), "--data", str(data), typed=typed)


def test_mail_comes_and_a_second_time_nothing(old: ThreadedServer, data: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("Pa$$123\n")
    first = take(data, "linda", url(old, "linda"), "--password-file", password)
    assert (first.status, first.stdout) == (0, "imported 1 message\n")
    again = take(data, "linda", url(old), "--password-file", "-", typed="Pa$$123\n")
    assert (again.status, again.stdout) == (0, "imported 0 messages\n")


def test_a_dry_run_says_what_would_come(old: ThreadedServer, data: Path) -> None:
    done = take(data, "linda", url(old), "--password-file", "-", "--dry-run", typed="Pa$$123\n")
    assert (done.status, done.stdout) == (0, "1 message would be imported\n")
    assert "imported 1 message" in take(data, "linda", url(old), "--password-file", "-", typed="Pa$$123\n").stdout


def test_a_server_that_refuses_is_said_and_the_status_is_1(old: ThreadedServer, data: Path) -> None:
    done = take(data, "linda", url(old), "--password-file", "-", typed="wrong\n")
    assert done.status == 1
    assert "does not let linda in" in done.stderr
    assert "run the same command again" in done.stderr


def test_an_account_that_does_not_exist(old: ThreadedServer, data: Path) -> None:
    done = take(data, "emma", url(old), "--password-file", "-", typed="x\n")
    assert (done.status, done.stderr) == (1, "mektup: there is no account emma\n")


def test_many_users_and_one_that_fails(old: ThreadedServer, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("user,password\nlinda,Pa$$123\nfred,wrong\n")
    done = take(data, "--users", table, url(old), "--jobs", "2")
    assert done.status == 1
    assert "linda: imported 1 message" in done.stderr
    assert "does not let fred in" in done.stderr
    assert done.stdout == "imported the mail of 1 user\n"
    table.write_text("user,password\nlinda,Pa$$123\nfred,Pa$$456\n")
    again = take(data, "--users", table, url(old))
    assert (again.status, again.stdout) == (0, "imported the mail of 2 users\n")


def test_a_table_that_cannot_be_read(old: ThreadedServer, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("linda,Pa$$123\n")
    done = take(data, "--users", table, url(old))
    assert done.status == 1
    assert f"{table}: the first line must name the columns" in done.stderr
    assert "Pa$$123" not in done.stderr


def test_insecure_is_said(old: ThreadedServer, data: Path) -> None:
    done = take(data, "linda", url(old), "--password-file", "-", "--insecure", typed="Pa$$123\n")
    assert done.status == 0
    assert "--insecure is on" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["linda"], "give an account"),
        (["linda", "imaps://host", "--users", "x"], "give an account"),
        (["linda", "imaps://linda:secret@host"], "a password in the address"),
        (["linda", "imaps://host:port"], "no address of an IMAP server"),
        (["linda", "imaps://host", "--from", "mbox"], "--from is for files"),
        (["linda", "/var/mail", "--insecure"], "for another server"),
        (["linda", "imaps://host", "--login", "NTLM"], "no way to log in"),
        (["imaps://linda@host", "--users", "x"], "must not name a user"),
        (["imaps://host", "--users", "x", "--jobs", "0"], "--jobs"),
    ],
)
def test_what_does_not_fit_together(data: Path, words: list[str], said: str) -> None:
    done = take(data, *words)
    assert done.status == 2
    assert said in done.stderr


def test_without_a_terminal_a_password_needs_a_file(data: Path) -> None:
    done = take(data, "linda", "imap://127.0.0.1:1")
    assert done.status == 1
    assert "--password-file" in done.stderr


def test_a_password_file_without_a_password(data: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert "no first line" in take(data, "linda", "imap://127.0.0.1:1", "--password-file", empty).stderr
    assert take(data, "linda", "imap://127.0.0.1:1", "--password-file", tmp_path / "missing").status == 1
