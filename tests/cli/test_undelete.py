"""``mektup undelete`` and ``mektup at``: expunged messages come back, and the past is shown."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.terms.flags import FlagChange
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, raw, uids
from tests.support.command import mektup

NOW = int(time.time()) - 86400


def moment(seconds: int) -> str:
    """The moment so many seconds after the messages arrived."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> float:
        return self.now


async def with_account(data: Path, do: Callable[[Account, Clock], Awaitable[None]]) -> None:
    clock = Clock()
    store = await open_store(data, clock=clock)
    entry = await store.directory.find("linda") or await store.directory.add("linda", {})
    await do(await store.account(entry), clock)
    await store.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An account whose messages were removed, two of INBOX and those of a deleted mailbox."""

    async def remove(account: Account, clock: Clock) -> None:
        mailbox = await inbox(account)
        subjects = ("apples", "pears", "plums")
        await account.append(mailbox, [incoming("\\Seen", octets=raw(each)) for each in subjects])
        work = await account.create("Work")
        await account.append(work.id, [incoming("$Done", octets=raw("work", more="From: Fred <fred@example.org>\r\n"))])
        clock.now += 100
        await account.remove(mailbox, uids(1, 2))
        clock.now += 100
        await account.delete("Work")
        clock.now += 100
        await account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Flagged"}))

    asyncio.run(with_account(tmp_path / "data", remove))
    return tmp_path / "data"


def rows(*arguments: str | Path) -> list[dict[str, object]]:
    said = mektup(*map(str, arguments))
    assert said.status == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def listed(data: Path, *options: str) -> list[tuple[object, object]]:
    found = rows("undelete", "linda", "--list", "--json", "--data", data, *options)
    return [(each["mailbox"], each["subject"]) for each in found]


def counts(data: Path) -> dict[str, int]:
    found: dict[str, int] = {}

    async def count(account: Account, clock: Clock) -> None:
        found.update({each.name: each.messages for each in await account.mailboxes() if each.messages})

    asyncio.run(with_account(data, count))
    return found


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        ((), ["apples", "pears", "work"]),
        (("--mailbox", "Work"), ["work"]),
        (("--mailbox", "inbox"), ["apples", "pears"]),
        (("--subject", "APP"), ["apples"]),
        (("--from", "fred@"), ["work"]),
        (("--uid", "2:5"), ["pears"]),
        (("--uid", "1", "--mailbox", "INBOX"), ["apples"]),
        (("--since", moment(200)), ["work"]),
        (("--since", "1h"), []),
        (("--subject", "apples", "--mailbox", "Work"), []),
    ],
)
def test_the_options_say_which_messages(data: Path, options: tuple[str, ...], subjects: list[str]) -> None:
    assert [subject for _, subject in listed(data, *options)] == subjects


def test_messages_come_back(data: Path) -> None:
    said = mektup("undelete", "linda", "--all", "--dry-run", "--data", str(data))
    assert said.stdout == "2 messages would come back to INBOX\n1 message would come back to Work\n"
    assert counts(data) == {"INBOX": 1}
    said = mektup("undelete", "linda", "--mailbox", "Work", "--data", str(data))
    assert (said.status, said.stdout) == (0, "1 message is back in Work\n")
    said = mektup("undelete", "linda", "--subject", "pears", "--to", "Drafts", "--data", str(data))
    assert said.stdout == "1 message is back in Drafts\n"
    assert counts(data) == {"INBOX": 1, "Drafts": 1, "Work": 1}
    assert listed(data) == [("INBOX", "apples")]


def test_a_list_for_people(data: Path) -> None:
    said = mektup("undelete", "linda", "--list", "--subject", "apples", "--data", str(data))
    head, line = said.stdout.splitlines()
    assert head.split() == ["removed", "mailbox", "UID", "size", "from", "subject"]
    assert line.split()[1:3] == ["INBOX", "1"]
    assert "Linda <linda@example.org>" in line


def test_what_comes_back_is_told_in_json(data: Path) -> None:
    (told,) = rows("undelete", "linda", "--mailbox", "INBOX", "--json", "--data", data)
    assert told["uids"] == [4, 5]


def test_messages_are_really_removed(data: Path) -> None:
    said = mektup("undelete", "linda", "--mailbox", "INBOX", "--forget", "--data", str(data), typed="n\n")
    assert said.status == 1
    said = mektup("undelete", "linda", "--mailbox", "INBOX", "--forget", "--yes", "--data", str(data))
    assert said.stdout == "removed 2 messages for ever\n"
    assert listed(data) == [("Work", "work")]


def test_the_quota_shows_what_is_kept(data: Path) -> None:
    said = mektup("user", "quota", "linda", "--data", str(data))
    assert said.stdout.splitlines()[-1].startswith("expunged, but kept: ")
    assert said.stdout.splitlines()[-1].endswith(" in 3 messages")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("undelete", "linda"), "say which messages"),
        (("undelete", "linda", "--since", "yesterday"), "yesterday is no moment"),
        (("undelete", "linda", "--uid", "a"), "a is no set of UIDs"),
        (("at", "linda", "2026-13-01"), "2026-13-01 is no moment"),
    ],
)
def test_a_wrong_command_is_refused(data: Path, arguments: tuple[str, ...], said: str) -> None:
    told = mektup(*arguments, "--data", str(data))
    assert told.status == 2
    assert said in told.stderr


def test_an_account_that_is_not_there(data: Path) -> None:
    for command in (("undelete", "fred", "--all"), ("at", "fred", "1h")):
        told = mektup(*command, "--data", str(data))
        assert (told.status, told.stderr) == (1, "mektup: there is no account fred\n")


def test_the_mailboxes_of_a_moment(data: Path) -> None:
    found = rows("at", "linda", moment(0), "--json", "--data", data)
    assert {each["mailbox"]: each["messages"] for each in found if each["messages"]} == {"INBOX": 3, "Work": 1}
    found = rows("at", "linda", moment(100), "--json", "--data", data)
    assert {each["mailbox"]: each["messages"] for each in found if each["messages"]} == {"INBOX": 1, "Work": 1}


def test_the_messages_of_a_mailbox_at_a_moment(data: Path) -> None:
    found = rows("at", "linda", moment(0), "INBOX", "--json", "--data", data)
    assert [(each["uid"], each["flags"], each["subject"]) for each in found] == [
        (uid, ["\\Seen"], subject) for uid, subject in enumerate(("apples", "pears", "plums"), 1)
    ]
    said = mektup("at", "linda", moment(0), "Nowhere", "--data", str(data))
    assert said.status == 1


def test_a_moment_is_exported(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "export"
    said = mektup("at", "linda", moment(0), "--export", str(target), "--data", str(data))
    assert said.stdout == f"wrote 4 messages to {target}\n"
    assert (target / "INBOX" / "2.eml").read_bytes() == raw("pears")
    index = [json.loads(line) for line in (target / "INBOX" / "messages.jsonl").read_text().splitlines()]
    assert [each["file"] for each in index] == ["1.eml", "2.eml", "3.eml"]
    said = mektup("at", "linda", moment(0), "--export", str(target), "--data", str(data))
    assert said.status == 1


def test_a_hostile_name_stays_below_the_directory(tmp_path: Path) -> None:
    async def make(account: Account, clock: Clock) -> None:
        for name in ("..", "../up", "a/b", "\u0130"):
            made = await account.create(name)
            await account.append(made.id, [incoming()])
        await fill(account, 1)

    asyncio.run(with_account(tmp_path / "data", make))
    target = tmp_path / "export"
    assert mektup("at", "linda", "23h", "--export", str(target), "--data", str(tmp_path / "data")).status == 0
    assert len(list(target.glob("*/1.eml"))) == 5
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "export"]
