"""The changes that are made to fail, and one that opens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mektup.server import self_signed
from mektup.store.columns import Column, HeaderFields
from mektup.store.interface import FlagOrder
from mektup.store.sqlite import back_up_all, restore_all
from mektup.terms.flags import FlagChange
from reliability.disk.pictures import EVERYTHING
from reliability.faults.scene import Scene, message, uids

Run = Callable[[Scene], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Deed:
    """One change."""

    name: str
    run: Run
    opens: bool = False
    """Whether it opens the store itself."""
    version: int | None = None
    """The older version of the schema that the account has before."""
    is_of_files: bool = False
    """Whether it writes files itself, without the store, so that a failure is an OSError."""


async def append(scene: Scene) -> None:
    """A new keyword, too."""
    await scene.account.append(await scene.mailbox(), [message(100, "$New")])


async def append_several(scene: Scene) -> None:
    """In one transaction."""
    mailbox = await scene.mailbox("Archive")
    await scene.account.append(mailbox, [message(number, "$Two", "\\Seen") for number in (101, 102, 103)])


async def append_large(scene: Scene) -> None:
    """In several chunks."""
    await scene.account.append(await scene.mailbox(), [message(104, size=300_000)])


async def store_flags(scene: Scene) -> None:
    """A new set of keywords."""
    await scene.account.store_flags(await scene.mailbox(), uids(1), FlagChange.ADD, frozenset({"$One", "\\Flagged"}))


async def store_many(scene: Scene) -> None:
    """All messages."""
    await scene.account.store_flags(await scene.mailbox(), EVERYTHING, FlagChange.REPLACE, frozenset({"$three"}))


async def store_in_turn(scene: Scene) -> None:
    """Pipelined."""
    orders = [
        FlagOrder(uids(4), FlagChange.ADD, frozenset({"$Four"})),
        FlagOrder(uids(5), FlagChange.REMOVE, frozenset({"$Old", "\\Seen"})),
    ]
    await scene.account.store_flags_in_turn(await scene.mailbox(), orders)


async def copy(scene: Scene) -> None:
    """To another mailbox."""
    await scene.account.copy(await scene.mailbox(), uids(1, 2, 8), "Archive")


async def move(scene: Scene) -> None:
    """To another mailbox."""
    await scene.account.move(await scene.mailbox(), uids(1, 3), "Lists")


async def expunge(scene: Scene) -> None:
    """All that are marked."""
    await scene.account.expunge(await scene.mailbox(), None)


async def remove(scene: Scene) -> None:
    """As POP3 does."""
    await scene.account.remove(await scene.mailbox(), uids(4, 5, 12))


async def create(scene: Scene) -> None:
    """With levels above it."""
    await scene.account.create("a/b/c")


async def delete(scene: Scene) -> None:
    """With its mail."""
    await scene.account.delete("Archive/2023")


async def rename(scene: Scene) -> None:
    """With all below it."""
    await scene.account.rename("Archive", "Old/Archive")


async def rename_inbox(scene: Scene) -> None:
    """Moves its mail."""
    await scene.account.rename("INBOX", "Old")


async def subscribe(scene: Scene) -> None:
    """A name that does not exist."""
    await scene.account.subscribe("news")


async def unsubscribe(scene: Scene) -> None:
    """The only one."""
    await scene.account.unsubscribe("Lists")


async def select(scene: Scene) -> None:
    """Claims \\Recent."""
    await scene.account.select("INBOX", claim_recent=True)


async def fetch_fields(scene: Scene) -> None:
    """The fields are then kept."""
    columns = (Column.FLAGS, HeaderFields(frozenset({b"subject", b"from"})))
    for _ in range(2):
        async for _ in scene.account.fetch(await scene.mailbox(), EVERYTHING, columns):
            continue


async def index(scene: Scene) -> None:
    """The text index, and what compresses chunks again."""
    await scene.account.indexer.finish()
    await scene.account.indexer.tidy()


async def compact(scene: Scene) -> None:
    """Rewrites the file."""
    await scene.account.compact()


async def renew(scene: Scene) -> None:
    """New UIDVALIDITYs."""
    await scene.account.renew()


async def add_account(scene: Scene) -> None:
    """A file and a row."""
    await scene.store.directory.add("deniz", {"password": "second"})


async def remove_account(scene: Scene) -> None:
    """A row and a file."""
    await scene.store.directory.remove("ali")


async def set_password(scene: Scene) -> None:
    """Of the other account."""
    await scene.store.directory.set_secrets("ali", {"password": "second"})


async def back_up(scene: Scene) -> None:
    """Only a whole copy can be restored."""
    await asyncio.to_thread(back_up_all, scene.data, scene.beside / "backup")
    await asyncio.to_thread(restore_all, scene.beside / "backup", scene.beside / "restored")


async def make_pair(scene: Scene) -> None:
    """The server's own certificate."""
    await asyncio.to_thread(self_signed.pair_under, scene.data / "tls", "mail.example.org")


async def open_store(scene: Scene) -> None:
    """Opens the store and the account."""
    await scene.open()


DEEDS = (
    Deed("append", append),
    Deed("append several", append_several),
    Deed("append a large message", append_large),
    Deed("store flags", store_flags),
    Deed("store many flags", store_many),
    Deed("store in turn", store_in_turn),
    Deed("copy", copy),
    Deed("move", move),
    Deed("expunge", expunge),
    Deed("remove", remove),
    Deed("create", create),
    Deed("delete", delete),
    Deed("rename", rename),
    Deed("rename INBOX", rename_inbox),
    Deed("subscribe", subscribe),
    Deed("unsubscribe", unsubscribe),
    Deed("select", select),
    Deed("fetch header fields", fetch_fields),
    Deed("index", index),
    Deed("compact", compact),
    Deed("renew", renew),
    Deed("add an account", add_account),
    Deed("remove an account", remove_account),
    Deed("change a password", set_password),
    Deed("back up and restore", back_up, is_of_files=True),
    Deed("make a certificate", make_pair, is_of_files=True),
    Deed("open", open_store, opens=True),
    Deed("open after a loss of power", open_store, opens=True),
    Deed("upgrade from version 2", open_store, opens=True, version=2),
    Deed("upgrade from version 5", open_store, opens=True, version=5),
)
