"""``mektup domain`` and ``mektup alias``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import mektup


@pytest.fixture
def data(tmp_path: Path) -> str:
    for name in ("linda", "ada@example.net"):
        done = mektup("user", "add", name, "--password-stdin", "--data", str(tmp_path / "data"), typed="x\n")
        assert done.status == 0
    return str(tmp_path / "data")


def test_domains_are_added_listed_and_removed(data: str) -> None:
    added = mektup("domain", "add", "Example.NET", "--data", data)
    assert (added.status, added.stdout, added.stderr) == (0, "added example.net\n", "")
    assert mektup("domain", "add", "bücher.example", "--data", data).stdout == "added bücher.example\n"
    assert mektup("domain", "list", "--data", data).stdout == "bücher.example\nexample.net\n"
    assert mektup("domain", "remove", "xn--bcher-kva.example", "--data", data).stdout == "removed bücher.example\n"
    last = mektup("domain", "remove", "example.net", "--data", data)
    assert last.stdout == "removed example.net\nthere are no domains any more: mail for every domain is taken\n"
    assert mektup("domain", "list", "--data", data).stdout == ""


def test_accounts_and_aliases_that_get_no_mail_any_more_are_named(data: str) -> None:
    mektup("alias", "add", "info@example.com", "linda", "--data", data)
    added = mektup("domain", "add", "example.org", "--data", data)
    assert added.status == 0
    assert added.stderr == (
        "mektup: 2 accounts and aliases, such as ada@example.net, are in other domains and get no mail; "
        "mektup domain add adds a domain\n"
    )


def test_a_domain_can_be_the_first_thing_that_is_added(tmp_path: Path) -> None:
    assert mektup("domain", "add", "example.org", "--data", str(tmp_path / "new")).status == 0
    assert mektup("domain", "list", "--data", str(tmp_path / "new")).stdout == "example.org\n"


def test_aliases_are_added_listed_and_removed(data: str) -> None:
    added = mektup("alias", "add", "Info@example.org", "linda", "--data", data)
    assert (added.status, added.stdout) == (0, "info@example.org leads to linda\n")
    added = mektup("alias", "add", "info@example.org", "ADA@example.net", "--data", data)
    assert added.stdout == "info@example.org leads to ada@example.net, linda\n"
    assert mektup("alias", "add", "@example.org", "linda", "--data", data).status == 0
    assert mektup("alias", "list", "--data", data).stdout == (
        "@example.org linda\ninfo@example.org ada@example.net linda\n"
    )
    listed = mektup("alias", "list", "--json", "--data", data).stdout.splitlines()
    assert json.loads(listed[1]) == {"address": "info@example.org", "accounts": ["ada@example.net", "linda"]}
    left = mektup("alias", "remove", "info@example.org", "linda", "--data", data)
    assert left.stdout == "info@example.org leads to ada@example.net\n"
    assert mektup("alias", "remove", "info@example.org", "--data", data).stdout == "removed info@example.org\n"
    assert mektup("alias", "list", "--data", data).stdout == "@example.org linda\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("domain", "add", "a b"), 1, "mektup: a b cannot be a domain: it contains a space\n"),
        (("domain", "remove", "example.org"), 1, "mektup: example.org is no domain of this server\n"),
        (("domain", "add"), 2, "Missing argument"),
        (("alias", "add", "info@example.org"), 2, "Missing argument"),
        (("alias", "add", "info@example.org", "nobody"), 1, "mektup: There is no account nobody\n"),
        (("alias", "add", "linda@example.org", "linda"), 1, "linda@example.org is the address of the account linda"),
        (("alias", "add", '"x"@example.org', "linda"), 1, "cannot be an alias: it contains"),
        (("alias", "remove", "info@example.org"), 1, "mektup: There is no alias info@example.org\n"),
        (("alias", "list", "--data", "elsewhere"), 1, "elsewhere is not there"),
    ],
)
def test_what_cannot_be_done_is_refused(data: str, arguments: tuple[str, ...], status: int, said: str) -> None:
    where = () if "--data" in arguments else ("--data", data)
    done = mektup(*arguments, *where)
    assert (done.status, done.stdout) == (status, "")
    assert said in done.stderr


def test_an_alias_keeps_the_name_from_a_new_account(data: str) -> None:
    mektup("alias", "add", "info@example.org", "linda", "--data", data)
    done = mektup("user", "add", "info", "--password-stdin", "--data", data, typed="x\n")
    assert done.status == 1
    assert "alias info@example.org already" in done.stderr
