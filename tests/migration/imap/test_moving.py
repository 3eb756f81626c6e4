"""Mail of another server comes with UIDs, flags and dates; again, only what is new; followed, also what changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mektup import Server
from mektup.migration.imap.login import Credentials
from mektup.migration.imap.moving import Move, Moved, Mover
from mektup.migration.imap.source import Wishes
from mektup.migration.imap.stream import Address, Security
from mektup.migration.importing import Plan
from mektup.store.arrival import prepare
from mektup.store.columns import Column
from mektup.store.interface import Account, Incoming, Store
from mektup.store.spool import Spool
from mektup.store.sqlite import open_store
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from mektup.terms.sets import NumberSet
from mektup.terms.texts import Text
from tests.migration.imap.scripted import CLOSE, LINDA, Scripted, message, scripted, uids_of

PLAIN = Plan()
FOLLOW = Plan(follow=True)


class NoProgress:
    """Shows nothing."""

    def begin(self, messages: int | None) -> None: ...

    def mailbox(self, name: str) -> None: ...

    def advance(self, messages: int) -> None: ...


@dataclass
class Target:
    """An account of this server, and what was said while mail came into it."""

    store: Store
    account: Account
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    async def take(self, address: Address, plan: Plan = PLAIN, **more: object) -> Moved:
        """One run of an import; what it says replaces what the last one said."""
        self.problems.clear()
        self.notes.clear()

        def tell(place: str, text: Text) -> None:
            self.problems.append((place, str(text)))

        def note(place: str, text: Text) -> None:
            self.notes.append((place, str(text)))

        mover = Mover(self.store, DEFAULT_LIMITS, tell, note, lambda: Spool(limit=DEFAULT_LIMITS.message_bytes))
        move = Move(address, LINDA, plan, pauses=(0.0, 0.0))
        return await mover.move(replace(move, **more), self.account, NoProgress())  # type: ignore[arg-type]

    async def held(self, name: str = "INBOX") -> list[tuple[object, ...]]:
        """UID, flags, internal date and octets of each message of a mailbox."""
        return await held(self.account, name)


async def held(account: Account, name: str) -> list[tuple[object, ...]]:
    mailbox = await account.mailbox(name)
    found = []
    columns = [Column.FLAGS, Column.INTERNALDATE, Column.RAW]
    async for rows in account.fetch(mailbox.id, NumberSet.span(1, 2**32 - 1), columns):
        found += [(uid, frozenset(account.flag_names(word)), date, raw) for uid, word, date, raw in rows]
    return found


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    store = await open_store(tmp_path / "target")
    entry = await store.directory.add("linda", {"password": "{PLAIN}x"})
    yield Target(store, await store.account(entry))
    await store.close()


def running(**settings: object) -> Server:
    """Another mektup, for a ``with``."""
    return Server(users={"linda": "Pa$$123", "fred": "x"}, **settings)  # type: ignore[arg-type]


@asynccontextmanager
async def mail_of(server: Server) -> AsyncIterator[tuple[Address, Account]]:
    """Where *server* is, and its mail of linda."""
    entry = await server.store.directory.find("linda")
    assert entry is not None
    yield Address("127.0.0.1", server.port("imap"), Security.NONE, insecure=True), await server.store.account(entry)


@asynccontextmanager
async def old_server(**settings: object) -> AsyncIterator[tuple[Address, Account]]:
    """Another mektup, running: where it is, and its mail of linda."""
    async with running(**settings) as server, mail_of(server) as found:
        yield found


async def fred_of(server: Server) -> str:
    """The ID of fred there."""
    entry = await server.store.directory.find("fred")
    assert entry is not None
    return entry.id


def incoming(number: int, *flags: str) -> Incoming:
    raw = b"Subject: message %d\r\n\r\n%d\r\n" % (number, number)
    return Incoming(prepare(raw), frozenset(flags), 1_700_000_000 + number, 180)


async def fill(account: Account, name: str = "INBOX", count: int = 5) -> None:
    """Adds messages with odd UIDs."""
    mailbox = await account.mailbox(name)
    for number in range(count):
        await account.append(mailbox.id, [incoming(number, "\\Seen", "$Forwarded"), incoming(100 + number)])
    await account.remove(mailbox.id, NumberSet.of(range(2, 2 * count + 1, 2)))  # type: ignore[arg-type]


async def set_flags(account: Account, name: str, uid: int, *flags: str) -> None:
    mailbox = await account.mailbox(name)
    await account.store_flags(mailbox.id, NumberSet.span(uid, uid), FlagChange.REPLACE, frozenset(flags))


async def remove(account: Account, name: str, uid: int) -> None:
    await account.remove((await account.mailbox(name)).id, NumberSet.span(uid, uid))


async def test_everything_comes_as_it_was(target: Target) -> None:
    async with old_server() as (address, old):
        await old.create("Çalışma/2026")
        await old.unsubscribe("Junk")
        for name in ("INBOX", "Çalışma/2026"):
            await fill(old, name)
        moved = await target.take(address)
        for name in ("INBOX", "Çalışma/2026"):
            there, here = await old.mailbox(name), await target.account.mailbox(name)
            assert await target.held(name) == await held(old, name)
            assert (here.uidvalidity, here.uidnext) == (there.uidvalidity, there.uidnext)
            assert here.highestmodseq >= there.highestmodseq
        assert await target.account.subscriptions() >= await old.subscriptions()
    assert (moved.result.added, moved.result.problems, moved.ended) == (10, 0, None)
    assert target.problems == []


async def test_a_second_run_brings_only_what_is_new(target: Target) -> None:
    async with old_server() as (address, old):
        await fill(old)
        await target.take(address)
        before = await target.held()
        await set_flags(old, "INBOX", 1, "\\Flagged")
        await remove(old, "INBOX", 3)
        await old.append((await old.mailbox("INBOX")).id, [incoming(500)])
        moved = await target.take(address)
        assert moved.result.added == 1
        assert (await target.held())[:-1] == before, "flags and removed messages are for --follow"


async def test_nothing_is_read_twice(target: Target) -> None:
    async with old_server() as (address, old):
        await fill(old)
        await target.take(address)
        again = await target.take(address)
    assert (again.result.added, again.result.flags, again.result.removed) == (0, 0, 0)


@pytest.mark.parametrize("hidden", [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE"), ("QRESYNC", "ESEARCH")])
async def test_following_ends_with_the_state_of_the_source(target: Target, hidden: tuple[str, ...]) -> None:
    async with old_server(hide=hidden) as (address, old):
        await fill(old, count=20)
        await target.take(address)
        await set_flags(old, "INBOX", 1, "\\Flagged", "Work")
        await set_flags(old, "INBOX", 5)
        await remove(old, "INBOX", 3)
        await old.append((await old.mailbox("INBOX")).id, [incoming(500, "\\Draft")])
        moved = await target.take(address, FOLLOW)
        assert (moved.result.added, moved.result.flags, moved.result.removed) == (1, 2, 1)
        assert await target.held() == await held(old, "INBOX")
        again = await target.take(address, FOLLOW)
        assert (again.result.added, again.result.flags, again.result.removed) == (0, 0, 0)


async def test_following_touches_nothing_that_did_not_come_from_the_source(target: Target) -> None:
    async with old_server() as (address, old):
        await fill(old)
        await target.take(address)
        here = (await target.account.mailbox("INBOX")).id
        [uid] = (await target.account.append(here, [incoming(900, "\\Seen")])).uids
        await remove(old, "INBOX", 1)
        # the old server gives the same UID to another message
        await old.append((await old.mailbox("INBOX")).id, [incoming(901)])
        moved = await target.take(address, FOLLOW)
        assert (moved.result.added, moved.result.renumbered, moved.result.removed) == (1, 1, 1)
        await remove(old, "INBOX", uid)
        await target.take(address, FOLLOW)
        own = [raw for number, _, _, raw in await target.held() if number == uid]
    assert own == [b"Subject: message 900\r\n\r\n900\r\n"]


async def test_what_the_user_changed_here_stays_where_the_source_did_not_change_it(target: Target) -> None:
    async with old_server() as (address, old):
        await fill(old)
        await target.take(address)
        await set_flags(target.account, "INBOX", 1, "\\Answered")
        await set_flags(old, "INBOX", 3, "\\Deleted")
        await target.take(address, FOLLOW)
    flags = {uid: flags for uid, flags, _, _ in await target.held()}
    assert (flags[1], flags[3]) == ({"\\Answered"}, {"\\Deleted"})


async def test_a_dry_run_says_the_same_and_changes_nothing(target: Target) -> None:
    async with old_server() as (address, old):
        await old.create("Work")
        await fill(old, "Work")
        dry = await target.take(address, Plan(dry_run=True))
        assert [each.name for each in await target.account.mailboxes() if each.name == "Work"] == []
        wet = await target.take(address)
        await set_flags(old, "Work", 1, "\\Flagged")
        await remove(old, "Work", 3)
        dry_again = await target.take(address, Plan(follow=True, dry_run=True))
        before = await target.held("Work")
        wet_again = await target.take(address, FOLLOW)
    assert dry.result.added == wet.result.added == 5
    assert len(before) == 5
    assert (dry_again.result.flags, dry_again.result.removed) == (wet_again.result.flags, wet_again.result.removed)


async def test_a_mailbox_that_is_another_one_now_is_said_and_taken_anew_when_followed(target: Target) -> None:
    async with old_server() as (address, old):
        await fill(old)
        await old.create("Work")
        await fill(old, "Work")
        await target.take(address)
        await old.renew()
        moved = await target.take(address)
        assert moved.result.added == 0
        assert {place for place, text in target.problems if "UIDVALIDITY" in text} == {"INBOX", "Work"}
        await target.take(address, FOLLOW)
        for name in ("INBOX", "Work"):
            assert await target.held(name) == await held(old, name)
            assert (await target.account.mailbox(name)).uidvalidity == (await old.mailbox(name)).uidvalidity
        assert (await target.take(address, FOLLOW)).result.added == 0


async def test_flags_that_do_not_fit_here_are_said_and_the_rest_is_followed(tmp_path: Path) -> None:
    limits = Limits(keywords_per_mailbox=2, metadata_entries=0)
    store = await open_store(tmp_path / "narrow", limits=limits)
    entry = await store.directory.add("linda", {"password": "{PLAIN}x"})
    target = Target(store, await store.account(entry))
    async with old_server() as (address, old):
        await fill(old)
        await target.take(address)
        assert {"compare all messages" in text for _, text in target.problems} == {True}
        await set_flags(old, "INBOX", 1, "One", "Two", "Three")
        await set_flags(old, "INBOX", 3, "\\Flagged")
        await remove(old, "INBOX", 5)
        moved = await target.take(address, FOLLOW)
    assert (moved.result.flags, moved.result.removed, moved.ended) == (1, 1, None)
    assert "flags of some messages" in dict(target.problems)["INBOX"]
    await store.close()


async def test_deleted_and_renamed_mailboxes_are_said_and_stay(target: Target) -> None:
    async with old_server() as (address, old):
        for name in ("Work", "Play"):
            await old.create(name)
            await fill(old, name)
        await target.take(address)
        await old.delete("Work")
        await old.rename("Play", "Games")
        await target.take(address, FOLLOW)
    assert len(await target.held("Work")) == len(await target.held("Play")) == len(await target.held("Games")) == 5
    said = dict(target.notes)
    assert "no longer" in said["Work"]
    assert "Games" in said["Play"]


async def test_only_some_mailboxes(target: Target) -> None:
    async with old_server() as (address, old):
        for name in ("Work", "Play"):
            await old.create(name)
            await fill(old, name)
        await target.take(address, wishes=Wishes(only=("Work", "Missing")))
        names = {each.name for each in await target.account.mailboxes()}
    assert "Work" in names
    assert "Play" not in names
    assert [place for place, _ in target.problems] == ["Missing"]


# ACL and quota


async def test_rights_of_others_and_the_quota_come_too(target: Target) -> None:
    fred = await target.store.directory.add("friedrich", {"password": "{PLAIN}x"})
    limits = {Resource.STORAGE: 2048 * 1024, Resource.MESSAGE: 500}
    async with running(quota=limits) as server, mail_of(server) as (address, old):
        await old.create("Work")
        theirs = await fred_of(server)
        await old.access_lists.change("Work", theirs, RightsChange("", frozenset("lr")))
        await old.access_lists.change("Work", "anyone", RightsChange("", frozenset("l")))
        moved = await target.take(address, accounts={"fred": "friedrich"})
    assert await target.account.access_lists.of("Work") == {fred.id: frozenset("lr"), "anyone": frozenset("l")}
    assert (moved.shared, moved.quota) == (2, True)
    state = await target.account.quota.state()
    assert state.own == {Resource.STORAGE: 2048 * 1024, Resource.MESSAGE: 500}


async def test_mailboxes_that_others_share_with_the_user_are_left_out(target: Target) -> None:
    async with running() as server, mail_of(server) as (address, old):
        entry = await server.store.directory.find("fred")
        assert entry is not None
        freds = await server.store.account(entry)
        await freds.access_lists.change("Sent", old.id, RightsChange("", frozenset("lr")))
        await fill(freds, "Sent")
        moved = await target.take(address)
    assert (moved.result.added, target.problems) == (0, [])


async def test_below_another_mailbox_nothing_is_shared(target: Target) -> None:
    await target.store.directory.add("fred", {"password": "{PLAIN}x"})
    async with running() as server, mail_of(server) as (address, old):
        theirs = await fred_of(server)
        await fill(old)
        await old.access_lists.change("INBOX", theirs, RightsChange("", frozenset("lr")))
        moved = await target.take(address, Plan(into="Old"))
    assert moved.shared == 0
    assert await target.account.access_lists.of("INBOX") == {}
    assert len(await target.held("Old")) == 5


async def test_a_reader_without_an_account_here_is_said(target: Target) -> None:
    async with running() as server, mail_of(server) as (address, old):
        theirs = await fred_of(server)
        await old.access_lists.change("Sent", theirs, RightsChange("", frozenset("lr")))
        await target.take(address)
    assert ("Sent", "it was shared with fred, who has no account here") in target.notes


# Servers that fail


def listing(*uids: int) -> bytes:
    return b"".join(b"* 1 FETCH (UID %d FLAGS (\\Seen Work))\r\n" % uid for uid in uids) + b"%s OK done\r\n"


def mailboxes(*names: str) -> bytes:
    return b"".join(b'* LIST () "/" %s\r\n' % name.encode() for name in names) + b"%s OK done\r\n"


def status(command: str) -> bytes:
    name = command.split()[1].encode()
    return b"* STATUS " + name + b" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\n%s OK done\r\n"


def holding(*uids: int, message_of: Callable[[int], bytes] = message) -> Callable[[str], bytes]:
    """A server whose mailboxes all hold the messages *uids*."""

    def answer(command: str) -> bytes:
        if command == "UID FETCH 1:* (UID FLAGS)":
            return listing(*uids)
        return b"".join(message_of(uid) for uid in uids_of(command) if uid in uids) + b"%s OK done\r\n"

    return answer


def small(script: Scripted, *names: str) -> Scripted:
    """Gives the server mailboxes of these *names*."""
    script.answers |= {"LIST": mailboxes(*names), "LSUB": mailboxes(*names), "STATUS": status}
    script.answers.setdefault("UID FETCH", holding(1, 2, 3))
    return script


async def test_a_mailbox_that_cannot_be_opened_is_named_and_the_others_come(target: Target) -> None:
    async with scripted() as script:
        small(script, "INBOX", "Broken", "Work").answers['EXAMINE "Broken"'] = b"%s NO index is broken\r\n"
        moved = await target.take(script.address)
    [(place, problem)] = target.problems
    assert place == "Broken"
    assert "index is broken" in problem
    assert (moved.result.added, moved.ended) == (6, None)
    assert len(await target.held("Work")) == 3


async def test_a_message_that_cannot_be_had_is_named_and_comes_in_a_later_run(target: Target) -> None:
    def without_two(command: str) -> bytes:
        if "BODY" in command and 2 in uids_of(command):
            return b"%s NO cannot read the file\r\n"
        return holding(1, 2, 3)(command)

    async with scripted() as script:
        small(script, "INBOX").answers["UID FETCH"] = without_two
        await target.take(script.address)
        [(place, problem)] = target.problems
        assert (place, "cannot read the file" in problem) == ("INBOX UID 2", True)
        assert [uid for uid, *_ in await target.held()] == [1, 3]
        script.answers["UID FETCH"] = holding(1, 2, 3)
        moved = await target.take(script.address)
        assert (moved.result.added, moved.result.renumbered) == (1, 1)
        assert (await target.take(script.address)).result.added == 0
    assert [uid for uid, *_ in await target.held()] == [1, 3, 4], "2 would be a UID that clients have passed"


async def test_a_server_that_goes_away_leaves_what_came_and_the_next_run_goes_on(target: Target) -> None:
    served = 0

    def two_then_nothing(command: str) -> bytes:
        nonlocal served
        if "BODY" not in command:
            return holding(1, 2, 3)(command)
        served += 1
        return message(1) + message(2) + b"* 3 FETCH (UID 3 BODY[] {50}\r\nSub" + CLOSE if served == 1 else CLOSE

    async with scripted() as script:
        small(script, "INBOX", "Work").answers["UID FETCH"] = two_then_nothing
        script.answers["EXAMINE"] = lambda command: CLOSE if served else b"* OK [UIDVALIDITY 7] .\r\n%s OK done\r\n"
        moved = await target.take(script.address)
        assert moved.ended is not None
        assert "closed the connection" in str(moved.ended)
        assert [uid for uid, *_ in await target.held()] == [1, 2]
        del script.answers["EXAMINE"]
        script.answers["UID FETCH"] = holding(1, 2, 3)
        moved = await target.take(script.address)
        assert (moved.result.added, moved.result.known, moved.ended) == (4, 2, None)
    assert [uid for uid, *_ in await target.held()] == [1, 2, 3]


async def test_a_message_that_is_too_large_is_named_and_not_kept_in_memory(target: Target) -> None:
    huge = message(2, b"Subject: x\r\n\r\n" + b"x" * (DEFAULT_LIMITS.message_bytes + 1))
    async with scripted() as script:
        held_there = holding(1, 2, message_of=lambda uid: huge if uid == 2 else message(1))
        small(script, "INBOX").answers["UID FETCH"] = held_there
        await target.take(script.address)
    assert [place for place, _ in target.problems] == ["INBOX UID 2"]
    assert [uid for uid, *_ in await target.held()] == [1]


async def test_a_wrong_size_and_flags_that_no_message_can_have_are_noted(target: Target) -> None:
    odd = message(1).replace(b"RFC822.SIZE 29", b"RFC822.SIZE 5000").replace(b"\\Seen Work", b"\\Seen \\Odd")
    flags = b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Odd))\r\n%s OK done\r\n"

    def answer(command: str) -> bytes:
        return odd + b"%s OK done\r\n" if "BODY" in command else flags

    async with scripted() as script:
        small(script, "INBOX").answers["UID FETCH"] = answer
        await target.take(script.address)
    assert [uid for uid, *_ in await target.held()] == [1]
    assert {place for place, _ in target.notes} == {"INBOX UID 1", "INBOX"}
    assert "\\Odd" in dict(target.notes)["INBOX"]


async def test_a_login_that_is_refused_ends_at_once(target: Target) -> None:
    async with old_server() as (address, _):
        moved = await target.take(address, credentials=Credentials("linda", password="wrong"))
    assert "does not let linda in" in str(moved.ended)


async def test_two_mailboxes_of_the_same_name_here_stay_two(target: Target) -> None:
    async with scripted() as script:
        small(script, "INBOX").answers["LIST"] = b'* LIST () "." a/b\r\n* LIST () "." a_b\r\n%s OK done\r\n'
        await target.take(script.address)
    assert len(await target.held("a_b")) == len(await target.held("a_b (2)")) == 3
