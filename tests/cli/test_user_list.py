"""``mektup user list`` and ``mektup user show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mektup.store.sqlite import open_store
from mektup.terms.quota import Resource
from tests.contract.mail import fill
from tests.support.command import mektup


@pytest.fixture
async def data(tmp_path: Path) -> str:
    store = await open_store(tmp_path / "data")
    try:
        linda = await store.directory.add("linda", {"password": "{PLAIN}x"})
        await store.directory.add("çiğdem@example.org", {})
        mail = await store.account(linda)
        await fill(mail, 3)
        await mail.quota.set_limits({Resource.STORAGE: 1024 * 1024})
        await store.directory.note_logins({linda.id: 1_700_000_000})
    finally:
        await store.close()
    return str(tmp_path / "data")


def test_the_table(data: str) -> None:
    head, second, third = mektup("user", "list", "--data", data).stdout.splitlines()
    assert head.split() == ["user", "storage", "messages", "quota", "last", "login"]
    assert second.split()[0] == "linda"
    assert second.split()[-5:-2] == ["3", "1", "MiB"]
    assert "2023-11-1" in second
    assert third.split() == ["çiğdem@example.org", "0", "B", "0"]


def test_the_names_alone(data: str) -> None:
    assert mektup("user", "list", "--names", "--data", data).stdout == "linda\nçiğdem@example.org\n"


def test_the_keys_of_json_are_stable(data: str) -> None:
    second, first = map(json.loads, mektup("user", "list", "--json", "--data", data).stdout.splitlines())
    assert first == {
        "name": "çiğdem@example.org",
        "size": 0,
        "messages": 0,
        "mailboxes": 6,
        "quota": {"size": None, "messages": None, "mailboxes": None},
        "last_login": None,
    }
    assert second["size"] > 0
    assert {key: second[key] for key in ("name", "messages", "mailboxes", "quota", "last_login")} == {
        "name": "linda",
        "messages": 3,
        "mailboxes": 6,
        "quota": {"size": 1048576, "messages": None, "mailboxes": None},
        "last_login": "2023-11-14T22:13:20Z",
    }


def test_the_default_quota_is_that_of_the_file(data: str, tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text(f'data = "{data}"\n[quota]\nmessages = 9\n')
    lines = map(json.loads, mektup("user", "list", "--json", "--config", str(file)).stdout.splitlines())
    assert [each["quota"]["messages"] for each in lines] == [9, 9]


def test_one_account(data: str) -> None:
    lines = mektup("user", "show", "LINDA", "--data", data).stdout.splitlines()
    assert lines[0] == "user: linda"
    assert "messages: 3, no limit" in lines
    assert "mailboxes: 6, no limit" in lines
    assert "secrets: password" in lines
    assert "hidden capabilities: none" in lines
    assert "last login: never" in mektup("user", "show", "çiğdem@example.org", "--data", data).stdout
    shown = json.loads(mektup("user", "show", "linda", "--json", "--data", data).stdout)
    assert (shown["name"], shown["secrets"], shown["hidden"], shown["messages"]) == ("linda", ["password"], [], 3)
    assert "{PLAIN}" not in json.dumps(shown), "no secret is shown"


def test_an_account_that_is_not_there(data: str) -> None:
    done = mektup("user", "show", "eve", "--data", data)
    assert (done.status, done.stderr) == (1, "mektup: there is no account eve\n")


def test_an_account_whose_file_is_damaged_is_listed(data: str) -> None:
    for file in Path(data).glob("accounts/*/*.db"):
        file.write_bytes(b"nonsense")
    lines = [json.loads(line) for line in mektup("user", "list", "--json", "--data", data).stdout.splitlines()]
    assert [each["size"] for each in lines] == [None, None]
    assert "?" in mektup("user", "list", "--data", data).stdout
