"""Capabilities that an operator hides from the clients of an address, or of an account.

A hidden capability is not announced. A command that exists only because of it is an unknown command, and ENABLE does
not know it. Options of other commands stay usable, such as RETURN of SEARCH: a client that does not know a capability
does not use them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from mektup.auth.mechanisms import MECHANISMS
from mektup.imap.capabilities import CAPABILITIES
from mektup.wire import requests

NEVER_HIDDEN = frozenset({"IMAP4REV1", "LOGINDISABLED", "AUTH"})
"""Without the first nobody could talk to the server, and without the second clients would send passwords in vain. Of
AUTH, single mechanisms can be hidden."""

PARTS_OF_REV2 = frozenset(
    {
        *("NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES", "ENABLE", "IDLE", "SASL-IR", "LIST-EXTENDED"),
        *("LIST-STATUS", "MOVE", "LITERAL+", "BINARY", "SPECIAL-USE", "STATUS=SIZE"),
    }
)
"""What IMAP4rev2 contains (RFC 9051 Appendix E): where one of these is hidden, so is IMAP4rev2."""

_PARTS: Mapping[str, frozenset[str]] = {
    "ACL": frozenset({"RIGHTS", "LIST-MYRIGHTS"}),
    "CATENATE": frozenset({"URL-PARTIAL"}),
    "CONDSTORE": frozenset({"QRESYNC"}),
    "ENABLE": frozenset({"QRESYNC", "UIDONLY", "UTF8=ACCEPT"}),
    "ESEARCH": frozenset({"SEARCHRES", "PARTIAL", "CONTEXT=SEARCH", "MULTISEARCH"}),
    "LIST-EXTENDED": frozenset({"LIST-STATUS", "LIST-MYRIGHTS", "LIST-METADATA"}),
    "METADATA": frozenset({"LIST-METADATA"}),
    "QUOTA": frozenset({"QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTA=RES-MAILBOX", "QUOTASET"}),
    "SORT": frozenset({"SORT=DISPLAY", "ESORT", "CONTEXT=SORT"}),
    "SPECIAL-USE": frozenset({"CREATE-SPECIAL-USE"}),
}
"""What means nothing, or cannot be used, where the capability before it is hidden."""

_NEEDS: Mapping[str, frozenset[str]] = {
    **{name: frozenset({name}) for name in ("ID", "STARTTLS", "ENABLE", "LANGUAGE", "NAMESPACE", "IDLE", "UNSELECT")},
    **{name: frozenset({name}) for name in ("UNAUTHENTICATE", "MOVE", "SORT", "NOTIFY", "REPLACE", "UIDBATCHES")},
    "COMPRESS": frozenset({"COMPRESS=DEFLATE"}),
    "ESEARCH": frozenset({"MULTISEARCH"}),
    "THREAD": frozenset(row.name.upper() for row in CAPABILITIES if row.name.startswith("THREAD=")),
    "COMPARATOR": frozenset({"I18NLEVEL=2"}),
    "CANCELUPDATE": frozenset({"CONTEXT=SEARCH", "CONTEXT=SORT"}),
    **dict.fromkeys(("GETMETADATA", "SETMETADATA"), frozenset({"METADATA", "METADATA-SERVER"})),
    **dict.fromkeys(("GETACL", "SETACL", "DELETEACL", "LISTRIGHTS", "MYRIGHTS"), frozenset({"ACL"})),
    **dict.fromkeys(("GETQUOTA", "GETQUOTAROOT", "SETQUOTA"), frozenset({"QUOTA"})),
    "GETJMAPACCESS": frozenset({"JMAPACCESS"}),
}
"""The commands that exist only because of one of these capabilities."""


def known_names() -> Sequence[str]:
    """All names that can be hidden, as CAPABILITY spells them; those of a row with values without a value."""
    names = [row.name for row in CAPABILITIES if row.name.upper() not in NEVER_HIDDEN]
    return names + [f"AUTH={mechanism.name}" for mechanism in MECHANISMS]


def checked(names: Iterable[str], known: Iterable[str] | None = None) -> frozenset[str]:
    """*names*, in any case, in upper case. Raises ValueError with the first that is not one of *known*."""
    allowed = {name.upper() for name in (known_names() if known is None else known)}
    for name in names:
        if name.upper() not in allowed:
            raise ValueError(name)
    return frozenset(map(str.upper, names))


def with_consequences(hidden: frozenset[str]) -> frozenset[str]:
    """*hidden*, and what cannot be announced without that."""
    hidden = hidden.union(*(parts for whole, parts in _PARTS.items() if whole in hidden))
    if hidden >= _NEEDS["GETMETADATA"]:
        hidden |= {"FILTERS"}  # which are entries
    return hidden | {"IMAP4REV2"} if hidden & PARTS_OF_REV2 else hidden


def is_unknown(command: str, request: requests.Request, hidden: Collection[str]) -> bool:
    """Whether *request*, of the *command* in the table, is an unknown command where *hidden* is hidden."""
    if isinstance(request, requests.Expunge):
        # RFC 4315 §2.1: only UID EXPUNGE belongs to UIDPLUS
        return request.uids is not None and "UIDPLUS" in hidden
    needs = needs_of(command)
    return bool(needs) and needs.issubset(hidden)


def needs_of(command: str) -> frozenset[str]:
    """The capabilities of which one is enough for the command; empty for a command of IMAP4rev1."""
    return _NEEDS.get(command, frozenset())
