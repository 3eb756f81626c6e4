"""``mektup user quota``: what an account holds, and its limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import mektup


@pytest.fixture
def data(tmp_path: Path) -> str:
    assert mektup("user", "add", "linda", "--password-stdin", "--data", str(tmp_path / "data"), typed="x\n").status == 0
    return str(tmp_path / "data")


def test_without_limits_the_usage_is_shown(data: str) -> None:
    told = mektup("user", "quota", "linda", "--data", data)
    assert told.stdout.splitlines() == ["storage: 0 B, no limit", "messages: 0, no limit", "mailboxes: 6, no limit"]


def test_limits_are_set_one_by_one_and_removed(data: str) -> None:
    told = mektup("user", "quota", "linda", "--storage", "10G", "--messages", "0", "--data", data)
    assert told.stdout.splitlines() == ["storage: 0 B of 10 GiB", "messages: 0 of 0", "mailboxes: 6, no limit"]
    told = mektup("user", "quota", "linda", "--messages", "none", "--mailboxes", "7", "--data", data)
    assert told.stdout.splitlines() == ["storage: 0 B of 10 GiB", "messages: 0, no limit", "mailboxes: 6 of 7"]
    told = mektup("user", "quota", "linda", "--default", "--data", data)
    assert told.stdout.splitlines()[0] == "storage: 0 B, no limit"


def test_the_default_is_that_of_the_file(data: str, tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text('data = "data"\n[quota]\nstorage = "5 GiB"\nmessages = 100\n')
    told = mektup("user", "quota", "linda", "--messages", "none", "--config", str(file))
    assert told.stdout.splitlines() == [
        "storage: 0 B of 5 GiB, by default",
        "messages: 0, no limit",
        "mailboxes: 6, no limit",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--storage", "much"), "much is no size; sizes are such as 10G, 500M or none"),
        (("--messages", "-1"), "-1 is no number; expected a number or none"),
        (("--mailboxes", "5K"), "5K is no number; expected a number or none"),
        (("--default", "--messages", "1"), "give either --default or limits"),
    ],
)
def test_what_is_no_limit_is_refused(data: str, options: tuple[str, ...], said: str) -> None:
    told = mektup("user", "quota", "linda", *options, "--data", data)
    assert told.status == 2
    assert said in told.stderr


def test_an_account_that_is_not_there(data: str) -> None:
    told = mektup("user", "quota", "nobody", "--data", data)
    assert told.status == 1
    assert told.stderr == "mektup: there is no account nobody\n"
