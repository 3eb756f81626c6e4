"""The files of a backup that say what was in an account: pages, manifests and runs. All are JSON.

A *page* lists the messages of a mailbox with UIDs from n * PAGE_UIDS on; it is an object in a pack. A *manifest* is an
account at one moment, with the names of its pages. A *run* is one call of the command: the accounts, and the manifest
that each of them had. So what has not changed since the run before is named again, and not stored again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from mektup.backup import compression, texts
from mektup.backup.damage import Damage, damage_in
from mektup.terms.errors import Code, Refused

FORMAT: Final = 1
"""The version of the format; a reader refuses a higher one."""

PAGE_BITS: Final = 12
PAGE_UIDS: Final = 1 << PAGE_BITS
"""How many UIDs a page has room for."""

MOST_BYTES: Final = 1 << 30
"""The largest manifest, run or page, in octets."""

T = TypeVar("T", bound=msgspec.Struct)

STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class Listed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message in a page."""

    uid: int
    flags: int
    """The position of its flags in the page."""
    modseq: int
    internaldate: int
    """Seconds since 1970 UTC."""
    zone: int
    """Minutes east of UTC in which the internal date is shown."""
    saved: int
    """When it was added to its mailbox, seconds since 1970 UTC."""
    size: int
    """Octets."""
    digest: str
    """Of its octets, in hexadecimal."""


class Page(msgspec.Struct, frozen=True):
    """Some messages of a mailbox, by UID."""

    flags: tuple[tuple[str, ...], ...]
    """Each different set of flags once."""
    messages: tuple[Listed, ...]


class PageName(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A page of a mailbox, in its manifest."""

    number: int
    """Its first possible UID, divided by PAGE_UIDS."""
    digest: str
    messages: int
    size: int
    """The octets of its messages."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An entry of metadata."""

    user: str
    """The ID of the account whose private entry it is; empty for a shared one."""
    name: str
    value: bytes
    """In base64."""


class SavedMailbox(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox, in a manifest. The numbers are those of ``store.mailbox.Mailbox``."""

    id: int
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    mailboxid: str
    special_use: str | None
    selectable: bool
    keywords: tuple[str, ...]
    access: dict[str, str]
    """The rights of each identifier, as letters."""
    metadata: tuple[Entry, ...]
    pages: tuple[PageName, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """An account at one moment."""

    format: int
    account: str
    """Its ID."""
    name: str
    taken: str
    """The time of the run that made it, see ``time_of``."""
    modseq: int
    uidvalidity: int
    """The highest that it ever used."""
    subscriptions: tuple[str, ...]
    quota: dict[str, int | None]
    """Its own limits, by the names of the resources; null: none."""
    metadata: tuple[Entry, ...]
    """The entries of the empty mailbox name."""
    mailboxes: tuple[SavedMailbox, ...]
    damaged: tuple[str, ...]
    """The digests of messages that could not be read from the store; no pack has them."""

    @property
    def messages(self) -> int:
        """The number of messages in all mailboxes."""
        return sum(each.messages for each in self.mailboxes)

    @property
    def size(self) -> int:
        """The octets of all messages, each copy counted."""
        return sum(each.size for each in self.mailboxes)


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account, in a run: what the directory of accounts knows of it."""

    id: str
    name: str
    secrets: dict[str, str]
    hidden: tuple[str, ...]
    manifest: str
    """The ``taken`` of its manifest."""
    messages: int
    size: int
    failed: bool
    """Whether it could not be read this time; then the manifest is an older one."""


class SavedAlias(msgspec.Struct, frozen=True, array_like=True):
    """An alias, in a run."""

    address: str
    accounts: tuple[str, ...]
    """Their names."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of the command saved."""

    format: int
    taken: str
    whole: bool
    """Whether all accounts of the server were asked for."""
    accounts: tuple[SavedAccount, ...]
    metadata: tuple[Entry, ...]
    """The shared metadata of the server."""
    domains: tuple[str, ...]
    aliases: tuple[SavedAlias, ...]
    """Empty, as the domains, where not all accounts were asked for."""
    files: dict[str, bytes]
    """Small files of the data directory, by their path in it, such as the self-signed certificate."""

    def account(self, name: str) -> SavedAccount | None:
        """The account with the ID or the name *name*."""
        folded = name.casefold()
        return next((each for each in self.accounts if each.id == name or each.name.casefold() == folded), None)


def encoded(value: msgspec.Struct) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)


def decoded(octets: bytes, kind: type[T]) -> T:
    """The value of *kind* in *octets*. Raises Damage, Refused where a newer version wrote it."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except msgspec.MsgspecError as error:
        raise Damage(texts.CANNOT_BE_READ.of(error=error)) from error


def read(path: Path, kind: type[T]) -> T:
    """The manifest or run in the file *path*. Raises OSError, Damage, Refused where a newer version wrote it."""
    octets = path.read_bytes()
    try:
        text = compression.unpacked(octets, MOST_BYTES)
        if decoded(text, _Version).format > FORMAT:
            raise Refused(Code.CANNOT, texts.NEWER.of(path=path))
        return decoded(text, kind)
    except Damage as damage:
        raise damage_in(path, damage.text) from damage


class _Version(msgspec.Struct, frozen=True):
    format: int


# Times


def stamp_of(seconds: int) -> str:
    """The name of a time, which is also the name of its files: seconds since 1970 as ``20261224T173000Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def seconds_of(stamp: str) -> int:
    """Seconds since 1970."""
    return int(datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp())


def shown(stamp: str) -> str:
    """A time for a person, in the zone of the machine, with its difference from UTC."""
    return datetime.fromtimestamp(seconds_of(stamp)).astimezone().isoformat(" ", "seconds")


def stamp_at(text: str) -> str:
    """The name of a time that a person wrote, in the zone of the machine if it has none. Raises Refused."""
    if STAMP.fullmatch(text):
        return text
    try:
        return stamp_of(int(datetime.fromisoformat(text).astimezone(UTC).timestamp()))
    except (ValueError, OverflowError):
        raise Refused(Code.CANNOT, texts.NO_TIME.of(text=text)) from None
