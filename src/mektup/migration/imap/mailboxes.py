"""A server's mailboxes: names, states, subscriptions, special uses; and who may read them, and the quota."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mektup.migration.imap import texts
from mektup.migration.imap.client import Client
from mektup.migration.imap.errors import CommandRefused, NotUnderstood
from mektup.migration.imap.names import TOP, Namespace, Namespaces, local_names
from mektup.migration.imap.responses import Untagged, Value
from mektup.terms.flags import SPECIAL_USES
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_MODSEQ, MAX_UINT32
from mektup.terms.printable import escaped_octets
from mektup.terms.texts import Text

MOST_MAILBOXES: Final = 20_000

VIRTUAL: Final = frozenset({"\\All", "\\Flagged"})
"""Special uses of mailboxes that show the messages of others (RFC 6154 §2)."""

_USES = {use.lower(): use for use in SPECIAL_USES}


@dataclass(frozen=True, slots=True)
class MailboxState:
    """What STATUS or SELECT tells; None for what it does not tell."""

    uidvalidity: int | None = None
    uidnext: int | None = None
    messages: int | None = None
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True)
class ServerMailbox:
    """A mailbox of the server that can be opened."""

    raw: bytes
    """Its name as the server writes it."""
    name: str
    """Its name here."""
    special_use: str | None
    is_subscribed: bool
    state: MailboxState = field(default_factory=MailboxState)
    problem: Text | None = None
    """Why its state is not known."""

    @property
    def shown(self) -> str:
        """Its name at the server, for people."""
        return escaped_octets(self.raw)


@dataclass(frozen=True, slots=True)
class _Listed:
    raw: bytes
    delimiter: str
    attributes: frozenset[str]


async def read_mailboxes(client: Client, limits: Limits) -> list[ServerMailbox]:
    """The user's own mailboxes that can be opened, in the server's order. Raises as the client does."""
    namespaces = await _namespaces(client)
    listed: dict[bytes, _Listed] = {}
    states: dict[bytes, MailboxState] = {}
    items = _status_items(client)
    extended = "LIST-EXTENDED" in client.capabilities or "IMAP4REV2" in client.capabilities
    returned = [f"STATUS ({items})"] if extended and "LIST-STATUS" in client.capabilities else []
    if extended and "SPECIAL-USE" in client.capabilities:
        returned.append("SPECIAL-USE")
    options = [f"RETURN ({' '.join(returned)})"] if returned else []
    for each in await client.gather("LIST", b"", b"*", *options):
        if each.kind == "LIST":
            one = _listed(each)
            listed[one.raw] = one
            if len(listed) > MOST_MAILBOXES:
                raise NotUnderstood(texts.TOO_MANY_MAILBOXES.of(count=MOST_MAILBOXES))
        elif each.kind == "STATUS":
            raw, state = _status(each)
            states[raw] = state
    subscribed = await _subscribed(client, extended=extended)
    names = local_names([(one.raw, one.delimiter) for one in listed.values()], namespaces, limits)
    found = [
        ServerMailbox(raw, name, _special_use(listed[raw]), raw in subscribed, states.get(raw, MailboxState()))
        for raw, name in names.items()
        if not listed[raw].attributes & {"\\noselect", "\\nonexistent"}
    ]
    return [each if each.raw in states else await _with_status(client, each, items) for each in found]


def _status_items(client: Client) -> str:
    modseqs = bool({"CONDSTORE", "QRESYNC"} & client.capabilities)
    return "MESSAGES UIDNEXT UIDVALIDITY" + (" HIGHESTMODSEQ" if modseqs else "")


async def _with_status(client: Client, mailbox: ServerMailbox, items: str) -> ServerMailbox:
    try:
        for each in await client.gather("STATUS", mailbox.raw, f"({items})"):
            if each.kind == "STATUS":
                return replace(mailbox, state=_status(each)[1])
    except CommandRefused as error:
        return replace(mailbox, problem=error.text)
    return mailbox


async def _namespaces(client: Client) -> Namespaces:
    """RFC 2342 §5: the user's own namespaces, those of other users, and shared ones."""
    if not {"NAMESPACE", "IMAP4REV2"} & client.capabilities:
        return Namespaces()
    for each in await client.gather("NAMESPACE"):
        if each.kind == "NAMESPACE":
            own, *others = [_prefixes(value) for value in each.values[:3]] or [[]]
            return Namespaces(own or [TOP], [one for some in others for one in some])
    return Namespaces()


def _prefixes(value: Value) -> list[Namespace]:
    found = []
    for each in value if isinstance(value, list) else []:
        match each:
            case [bytes(prefix), bytes() | str() as delimiter, *_]:
                found.append(Namespace(_text(prefix), _delimiter(delimiter)))
    return found


async def _subscribed(client: Client, *, extended: bool) -> frozenset[bytes]:
    try:
        answers = await client.gather("LIST (SUBSCRIBED)" if extended else "LSUB", b"", b"*")
    except CommandRefused:
        return frozenset()
    return frozenset(_listed(each).raw for each in answers if each.kind in ("LIST", "LSUB"))


def _listed(response: Untagged) -> _Listed:
    match response.values:
        case [list(attributes), bytes() | str() as delimiter, bytes() | str() as name, *_]:
            words = frozenset(each.lower() for each in attributes if isinstance(each, str))
            return _Listed(_octets(name), _delimiter(delimiter), words)
    raise NotUnderstood(texts.NO_RESPONSE.of(line=response.kind))


def _special_use(listed: _Listed) -> str | None:
    return next((_USES[each] for each in sorted(listed.attributes) if each in _USES), None)


def _status(response: Untagged) -> tuple[bytes, MailboxState]:
    match response.values:
        case [bytes() | str() as name, list(items)] if len(items) % 2 == 0:
            return _octets(name), state_of(dict(zip(map(str, items[::2]), items[1::2], strict=True)))
    raise NotUnderstood(texts.NO_RESPONSE.of(line="STATUS"))


def state_of(items: Mapping[str, Value]) -> MailboxState:
    """The state of a mailbox from the items of STATUS, by their names."""
    values = {name.upper(): _number(value) for name, value in items.items()}
    validity, uidnext = values.get("UIDVALIDITY"), values.get("UIDNEXT")
    return MailboxState(
        uidvalidity=validity if validity and validity <= MAX_UINT32 else None,
        uidnext=uidnext if uidnext and uidnext <= MAX_UINT32 else None,
        messages=values.get("MESSAGES"),
        highestmodseq=values.get("HIGHESTMODSEQ") or None,
    )


def _number(value: Value) -> int | None:
    """A number; None for any other value, which then counts as not told."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return min(int(value), MAX_MODSEQ)
    return None


def _octets(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _delimiter(value: bytes | str) -> str:
    """One character; empty for NIL."""
    return _text(value) if isinstance(value, bytes) else ""


async def read_access_list(client: Client, mailbox: ServerMailbox) -> Mapping[str, str]:
    """The rights that others have on *mailbox*, by identifier (RFC 4314 §3.3); empty where the server tells none."""
    if "ACL" not in client.capabilities:
        return {}
    try:
        answers = await client.gather("GETACL", mailbox.raw)
    except CommandRefused:
        # only who may administer a mailbox sees its list
        return {}
    found: dict[str, str] = {}
    for each in answers:
        if each.kind == "ACL":
            words = [_word(value) for value in each.values[1:]]
            found |= dict(zip(words[::2], words[1::2], strict=False))
    return found


async def read_quota(client: Client) -> Mapping[str, int]:
    """The limits of the user's INBOX by resource, in the units of RFC 9208 §5; empty where the server tells none."""
    if not any(each == "QUOTA" or each.startswith("QUOTA=") for each in client.capabilities):
        return {}
    try:
        answers = await client.gather("GETQUOTAROOT", b"INBOX")
    except CommandRefused:
        return {}
    found: dict[str, int] = {}
    for each in answers:
        if each.kind == "QUOTA" and each.values and isinstance(each.values[-1], list):
            for name, limit in _limits(each.values[-1]):
                # an INBOX may have several roots: the smallest limit counts
                found[name] = min(limit, found.get(name, limit))
    return found


def _limits(items: Sequence[Value]) -> Iterable[tuple[str, int]]:
    for name, _, limit in zip(items[::3], items[1::3], items[2::3], strict=False):
        if (number := _number(limit)) is not None:
            yield str(name).upper(), number


def _word(value: Value) -> str:
    return _text(value) if isinstance(value, bytes) else str(value)
