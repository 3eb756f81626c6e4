"""Small messages, and short forms of the questions that tests ask, all through the interface."""

from __future__ import annotations

from collections.abc import Iterable

from mektup.store.arrival import prepare
from mektup.store.columns import Column, HeaderFields, Row
from mektup.store.interface import Account, AccountEntry, Incoming
from mektup.terms.numbers import AccountId, MailboxId, ModSeq, Uid
from mektup.terms.sets import Uids

EVERYTHING: Uids = Uids.span(1, 2**32 - 1)
START = ModSeq(0)


def raw(subject: str = "dinner", text: str = "at eight", *, more: str = "") -> bytes:
    """The octets of a message; *more* are header lines, each with its CRLF."""
    return (
        f"Date: Mon, 7 Feb 2022 21:52:25 -0800\r\nFrom: Linda <linda@example.org>\r\nTo: ali@example.org\r\n"
        f"Subject: {subject}\r\n{more}\r\n{text}\r\n"
    ).encode()


def incoming(*flags: str, octets: bytes | None = None, internaldate: int | None = None, zone: int = 0) -> Incoming:
    """A message to append."""
    return Incoming(prepare(octets or raw()), frozenset(flags), internaldate, zone)


def uids(*numbers: int) -> Uids:
    """The set of *numbers*."""
    return Uids.of(Uid(number) for number in numbers)


def entry_of(account: Account | AccountId) -> AccountEntry:
    """What a store needs to open *account*."""
    return AccountEntry(account, "", {}) if isinstance(account, str) else AccountEntry(account.id, account.name, {})


async def inbox(account: Account) -> MailboxId:
    """The id of INBOX."""
    return (await account.mailbox("INBOX")).id


async def fill(account: Account, count: int, *flags: str) -> MailboxId:
    """Puts *count* messages into INBOX."""
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(*flags, octets=raw(f"number {number}")) for number in range(count)])
    return mailbox


async def fetched(account: Account, mailbox: MailboxId, wanted: Uids, *columns: Column | HeaderFields) -> list[Row]:
    """All rows of a fetch."""
    return [row async for rows in account.fetch(mailbox, wanted, columns) for row in rows]


async def flags_of(account: Account, mailbox: MailboxId, wanted: Uids = EVERYTHING) -> dict[int, set[str]]:
    """The flags of each message, by UID."""
    return {uid: set(account.flag_names(word)) for uid, word in await fetched(account, mailbox, wanted, Column.FLAGS)}


async def one(account: Account, mailbox: MailboxId, uid: int, column: Column) -> object:
    """One column of one message."""
    ((_, value),) = await fetched(account, mailbox, uids(uid), column)
    return value


def numbers(found: Iterable[int]) -> list[int]:
    """The numbers as a list, to compare."""
    return list(found)
