"""The delivery of a message into mailboxes, from any sender."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from mektup.delivery.address import Address
from mektup.delivery.deliver import Copies, Reception, checked_flags, require_size
from mektup.delivery.recipients import Recipient, destination_named, destination_of, resolve
from mektup.store.arrival import Arrival
from mektup.store.sqlite.file import wal_sync
from mektup.terms.delivery import DeliveryRules
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from tests.support.faulty_disk import failed, faulty_disk
from tests.support.services import Given, given_services, messages

RAW = b"Subject: dinner\r\n\r\nat eight\r\n"
TRACE = b"Return-Path: <ada@example.org>\r\n"
RULES = DeliveryRules()
LIMITS = Limits()


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as given:
        yield given


async def arrival_of(raw: bytes, *, limits: Limits = LIMITS, trace: bytes = b"", piece: int = 7) -> Arrival:
    """*raw* received in pieces."""
    with Reception(limits, trace=trace) as reception:
        for start in range(0, len(raw), piece):
            reception.write(raw[start : start + piece])
        return await reception.arrival()


async def recipient(given: Given, local: str) -> Recipient:
    (found,) = await resolve(Address(local, "example.org"), given.services.store)
    return found


# The message


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_lines_end_in_crlf_and_nothing_else_changes(piece: int) -> None:
    assert (await arrival_of(RAW.replace(b"\r\n", b"\n"), piece=piece)).raw == RAW
    assert (await arrival_of(RAW, piece=piece)).raw == RAW


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_a_trace_goes_before_the_message_and_replaces_its_own_return_path(piece: int) -> None:
    arrival = await arrival_of(b"Return-Path: <forged@example.org>\r\n" + RAW, trace=TRACE, piece=piece)
    assert arrival.raw == TRACE + RAW


async def test_without_a_trace_a_return_path_stays() -> None:
    assert (await arrival_of(TRACE + RAW)).raw == TRACE + RAW


async def test_the_limit_is_for_the_message_and_not_for_its_trace() -> None:
    limits = Limits(message_bytes=len(RAW))
    assert (await arrival_of(RAW, limits=limits, trace=TRACE)).size == len(TRACE + RAW)
    with pytest.raises(Refused, match=f"at most {len(RAW)} octets") as refused:
        await arrival_of(RAW + b"x", limits=limits, trace=TRACE)
    assert refused.value.code is Code.TOOBIG


def test_an_announced_size_is_held_to_the_same_limit() -> None:
    limits = Limits(message_bytes=100)
    require_size(100, limits)
    with pytest.raises(Refused, match="at most 100 octets"):
        require_size(101, limits)


# The flags


@pytest.mark.parametrize(
    "flag",
    [
        *("bad flag", "ğ", "", "a)b", "(", "x\r\ny", "a*", "a%", "{1}", 'a"b', "a\\b", "a]", "\x7f", "\0", " "),
        *("\\Recent", "\\recent", "\\", "\\Foo", "\\\\Seen", "\\\u017feen", "K\u212a", "x" * 101),
    ],
)
def test_a_flag_that_cannot_be_is_named(flag: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_flags(["\\Seen", flag], Limits(keyword_bytes=100))
    assert refused.value.code is Code.CANNOT
    assert str(refused.value).startswith(repr(flag))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ([], set()),
        (["\\Seen", "$Forwarded", "NonJunk", "a[b", "x" * 100], {"\\Seen", "$Forwarded", "NonJunk", "a[b", "x" * 100}),
        (["$A", "$a", "\\seen", "\\SEEN"], {"$A", "\\seen"}),
        ((flag for flag in ("\\Seen", "\\Draft")), {"\\Seen", "\\Draft"}),
        ({"\\Seen"}, {"\\Seen"}),
    ],
)
def test_flags(flags: Iterable[str], kept: set[str]) -> None:
    assert checked_flags(flags, Limits(keyword_bytes=100)) == kept


# The mailboxes


async def test_one_copy_for_each_mailbox(given: Given) -> None:
    linda, ada = await given.account(), await given.add("ada")
    await linda.create("Lists")
    copies = Copies(await arrival_of(RAW), given.services.store, RULES)
    asked = ("linda", "linda+nowhere", "linda+Lists", "ada")
    made = [await copies.deliver(await recipient(given, local)) for local in asked]
    assert made[0] is made[1]
    assert [(copy.mailbox, copy.uid) for copy in made[1:]] == [("INBOX", 1), ("Lists", 1), ("INBOX", 1)]
    assert await messages(linda) == await messages(linda, "Lists") == await messages(ada) == [RAW]
    together = [[each.address.local for each in copy.recipients] for copy in copies.made.values()]
    assert together == [["linda", "linda+nowhere"], ["linda+Lists"], ["ada"]]


async def test_no_second_copy_where_the_first_one_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_sync, "MENDING_SECONDS", 0.0)
    with faulty_disk() as disk:
        async with given_services(tmp_path / "data") as given:
            copies = Copies(await arrival_of(RAW), given.services.store, RULES)
            await given.account()

            def failing(file: int) -> None:
                disk.fails_at(1, failed)  # so that the copy cannot be removed again
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            with monkeypatch.context() as broken:
                broken.setattr(os, "fdatasync", failing)
                with pytest.raises(Refused) as first:
                    await copies.deliver(await recipient(given, "linda"))
            disk.works()
            assert first.value.uncertain
            with pytest.raises(Refused) as second:
                await copies.deliver(await recipient(given, "linda+nowhere"))
            assert second.value is first.value
            await given.add("ada")
            assert await copies.deliver(await recipient(given, "ada"))
            assert await messages(await given.account()) == [RAW]


async def test_a_detail_names_a_folder_only_if_the_rules_allow_that(given: Given) -> None:
    await (await given.account()).create("Lists")
    one = await recipient(given, "linda+Lists")
    to = await destination_of(one, given.services.store, DeliveryRules(detail_folders=False))
    linda = await given.account()
    assert to.mailbox == await linda.target("INBOX")
    assert (await destination_of(one, given.services.store, RULES)).mailbox == await linda.target("Lists")


async def test_mail_for_an_address_goes_to_inbox_if_its_folder_is_deleted_meanwhile(given: Given) -> None:
    linda = await given.account()
    await linda.create("Lists")
    to = await destination_of(await recipient(given, "linda+Lists"), given.services.store, RULES)
    await linda.delete("Lists")
    copies = Copies(await arrival_of(RAW), given.services.store, RULES)
    assert await copies.deliver_to(to, await recipient(given, "linda+Lists"))
    assert list(copies.made) == [(linda.id, await linda.target("INBOX"))]
    assert await messages(linda) == [RAW]


async def test_inbox_gets_no_second_copy_in_place_of_a_deleted_folder(given: Given) -> None:
    linda = await given.account()
    await linda.create("Lists")
    one = await recipient(given, "linda+Lists")
    to = await destination_of(one, given.services.store, RULES)
    await linda.delete("Lists")
    copies = Copies(await arrival_of(RAW), given.services.store, RULES)
    copy = await copies.deliver(await recipient(given, "linda"))
    assert await copies.deliver_to(to, one) is copy
    assert await messages(linda) == [RAW]


async def test_mail_for_a_named_folder_is_refused_if_that_is_deleted_meanwhile(given: Given) -> None:
    linda = await given.account()
    await linda.create("Lists")
    to = await destination_named("linda", "Lists", given.services.store)
    await linda.delete("Lists")
    with pytest.raises(Refused) as refused:
        await Copies(await arrival_of(RAW), given.services.store, RULES).deliver_to(to, await recipient(given, "linda"))
    assert refused.value.code is Code.NONEXISTENT
    assert await messages(linda) == []


@pytest.mark.parametrize(
    ("user", "mailbox", "text"),
    [
        ("nobody", "INBOX", "No such account: nobody"),
        ("linda", "Nowhere", "No such mailbox: Nowhere"),
        ("linda", "Level", "No such mailbox: Level"),
    ],
)
async def test_a_missing_account_or_mailbox_is_named_in_the_error(
    given: Given, user: str, mailbox: str, text: str
) -> None:
    linda = await given.account()
    await linda.create("Level/Below")
    await linda.delete("Level")
    with pytest.raises(Refused) as refused:
        await destination_named(user, mailbox, given.services.store)
    assert (refused.value.code, str(refused.value)) == (Code.NONEXISTENT, text)
