"""One row per command: the states it is allowed in, and what may be told after it (RFC 9051 §3, §6, §7.5.1).

To add a command: a request in ``wire.requests``, its grammar in ``wire.commands``, a module in ``commands`` with
``run``, and its row here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from mektup.imap import answers, texts
from mektup.imap.answers import Answer
from mektup.imap.commands import (
    append,
    authenticate,
    cancelupdate,
    capability,
    check,
    close,
    comparator,
    compress,
    copy,
    create,
    delete,
    deleteacl,
    enable,
    esearch,
    expunge,
    fetch,
    getacl,
    id,
    idle,
    language,
    list,
    listrights,
    login,
    logout,
    lsub,
    metadata,
    move,
    myrights,
    namespace,
    noop,
    notify,
    quota,
    rename,
    replace,
    search,
    select,
    setacl,
    sort,
    starttls,
    status,
    store,
    subscribe,
    thread,
    uid_batches,
    unauthenticate,
    unselect,
)
from mektup.terms.errors import ClientError, Code
from mektup.terms.texts import ENGLISH, Text
from mektup.wire import requests


class SessionState(Enum):
    """The state of a session (RFC 9051 §3). The fourth state, logout, is the end of ``Conversation.run``."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()


class Tells(Enum):
    """What the client may be told of its selected mailbox before the tagged answer."""

    NOTHING = auto()
    """Nothing: no mailbox is open, or the command closes it or ends the session."""
    UID_EXPUNGES = auto()
    """Everything but EXPUNGE; EXPUNGE only after the UID form (RFC 9051 §7.5.1: FETCH, STORE, SEARCH; RFC 5256 §3)."""
    OWN_EXPUNGES = auto()
    """Everything: the command removes messages, and the EXPUNGE lines are its answer."""
    ALL = auto()
    """Everything, if the watch fired."""
    LOOKS = auto()
    """Everything; the store is asked even if the watch did not fire, as the client asks for changes."""


Run = Callable[[Any, Any], Awaitable[Answer | None]]
"""Takes the Conversation and its Request; returns the OK answer, None for the usual one."""

# Tuples find a member by identity. Sets would call Python code for its hash, at each command.
ANY = tuple(SessionState)
OUT = (SessionState.NOT_AUTHENTICATED,)
IN = (SessionState.AUTHENTICATED, SessionState.SELECTED)
SELECTED = (SessionState.SELECTED,)


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command of the table."""

    name: str
    states: tuple[SessionState, ...]
    tells: Tells
    run: Run
    usual: Text = field(init=False)
    """The text of the usual OK."""
    done: bytes = field(init=False)
    """The usual OK in English, with ``%b`` for the tag."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "usual", texts.COMPLETED.of(command=self.name))
        object.__setattr__(self, "done", answers.ok(b"%b", Answer(b"", self.usual), ENGLISH))

    def mistake(self, state: SessionState) -> ClientError:
        """The error of the command in a *state* where it is not allowed; says what to do first."""
        if state is SessionState.NOT_AUTHENTICATED:
            return ClientError(texts.NOT_BEFORE_LOGIN.of(command=self.name))
        if self.states is OUT:
            return ClientError(texts.NOT_AFTER_LOGIN.of(command=self.name))
        return ClientError(texts.NEEDS_A_MAILBOX.of(command=self.name))


TABLE: dict[type[requests.Request], CommandRow] = {
    requests.Capability: CommandRow("CAPABILITY", ANY, Tells.ALL, capability.run),
    requests.Noop: CommandRow("NOOP", ANY, Tells.LOOKS, noop.run),
    requests.Logout: CommandRow("LOGOUT", ANY, Tells.NOTHING, logout.run),
    requests.Id: CommandRow("ID", ANY, Tells.ALL, id.run),
    requests.Language: CommandRow("LANGUAGE", ANY, Tells.ALL, language.run),
    requests.StartTls: CommandRow("STARTTLS", OUT, Tells.NOTHING, starttls.run),
    requests.Authenticate: CommandRow("AUTHENTICATE", OUT, Tells.NOTHING, authenticate.run),
    requests.Login: CommandRow("LOGIN", OUT, Tells.NOTHING, login.run),
    requests.Unauthenticate: CommandRow("UNAUTHENTICATE", IN, Tells.NOTHING, unauthenticate.run),
    requests.Compress: CommandRow("COMPRESS", IN, Tells.NOTHING, compress.run),
    requests.ChooseComparator: CommandRow("COMPARATOR", IN, Tells.ALL, comparator.run),
    requests.Enable: CommandRow("ENABLE", IN, Tells.ALL, enable.run),
    requests.Select: CommandRow("SELECT", IN, Tells.NOTHING, select.run),
    requests.Create: CommandRow("CREATE", IN, Tells.ALL, create.run),
    requests.Delete: CommandRow("DELETE", IN, Tells.ALL, delete.run),
    requests.Rename: CommandRow("RENAME", IN, Tells.ALL, rename.run),
    requests.Subscribe: CommandRow("SUBSCRIBE", IN, Tells.ALL, subscribe.run),
    requests.Unsubscribe: CommandRow("UNSUBSCRIBE", IN, Tells.ALL, subscribe.run),
    requests.List: CommandRow("LIST", IN, Tells.ALL, list.run),
    requests.Lsub: CommandRow("LSUB", IN, Tells.ALL, lsub.run),
    requests.Namespace: CommandRow("NAMESPACE", IN, Tells.ALL, namespace.run),
    requests.Status: CommandRow("STATUS", IN, Tells.ALL, status.run),
    requests.SetAcl: CommandRow("SETACL", IN, Tells.ALL, setacl.run),
    requests.DeleteAcl: CommandRow("DELETEACL", IN, Tells.ALL, deleteacl.run),
    requests.GetAcl: CommandRow("GETACL", IN, Tells.ALL, getacl.run),
    requests.ListRights: CommandRow("LISTRIGHTS", IN, Tells.ALL, listrights.run),
    requests.MyRights: CommandRow("MYRIGHTS", IN, Tells.ALL, myrights.run),
    requests.GetMetadata: CommandRow("GETMETADATA", IN, Tells.ALL, metadata.get),
    requests.SetMetadata: CommandRow("SETMETADATA", IN, Tells.ALL, metadata.set_),
    requests.GetQuota: CommandRow("GETQUOTA", IN, Tells.ALL, quota.get),
    requests.GetQuotaRoot: CommandRow("GETQUOTAROOT", IN, Tells.ALL, quota.get_root),
    requests.SetQuota: CommandRow("SETQUOTA", IN, Tells.ALL, quota.set_),
    requests.Append: CommandRow("APPEND", IN, Tells.ALL, append.run),
    requests.Idle: CommandRow("IDLE", IN, Tells.ALL, idle.run),
    # the ESEARCH response has UIDs only, so EXPUNGE may be told unless the keys have sequence numbers
    requests.Esearch: CommandRow("ESEARCH", IN, Tells.UID_EXPUNGES, esearch.run),
    requests.Notify: CommandRow("NOTIFY", IN, Tells.ALL, notify.run),
    requests.Check: CommandRow("CHECK", SELECTED, Tells.LOOKS, check.run),
    requests.Close: CommandRow("CLOSE", SELECTED, Tells.NOTHING, close.run),
    requests.Unselect: CommandRow("UNSELECT", SELECTED, Tells.NOTHING, unselect.run),
    requests.Expunge: CommandRow("EXPUNGE", SELECTED, Tells.OWN_EXPUNGES, expunge.run),
    requests.Search: CommandRow("SEARCH", SELECTED, Tells.UID_EXPUNGES, search.run),
    requests.Sort: CommandRow("SORT", SELECTED, Tells.UID_EXPUNGES, sort.run),
    requests.CancelUpdate: CommandRow("CANCELUPDATE", SELECTED, Tells.ALL, cancelupdate.run),
    requests.Thread: CommandRow("THREAD", SELECTED, Tells.UID_EXPUNGES, thread.run),
    requests.UidBatches: CommandRow("UIDBATCHES", SELECTED, Tells.ALL, uid_batches.run),
    requests.Fetch: CommandRow("FETCH", SELECTED, Tells.UID_EXPUNGES, fetch.run),
    requests.Store: CommandRow("STORE", SELECTED, Tells.UID_EXPUNGES, store.run),
    requests.Copy: CommandRow("COPY", SELECTED, Tells.ALL, copy.run),
    requests.Replace: CommandRow("REPLACE", SELECTED, Tells.OWN_EXPUNGES, replace.run),
    requests.Move: CommandRow("MOVE", SELECTED, Tells.OWN_EXPUNGES, move.run),
}


def require_uids(request: requests.Request) -> None:
    """Raises ClientError for a request that a client may not send after ENABLE UIDONLY (RFC 9586 §3)."""
    if requests.needs_seqs(request):
        raise ClientError(texts.UID_REQUIRED, code=Code.UIDREQUIRED)
