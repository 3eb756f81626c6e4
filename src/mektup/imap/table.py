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
    capability,
    check,
    close,
    compress,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    id,
    idle,
    list,
    login,
    logout,
    lsub,
    move,
    namespace,
    noop,
    rename,
    search,
    select,
    sort,
    starttls,
    status,
    store,
    subscribe,
    thread,
    unselect,
)
from mektup.terms.errors import ClientError
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
    requests.StartTls: CommandRow("STARTTLS", OUT, Tells.NOTHING, starttls.run),
    requests.Authenticate: CommandRow("AUTHENTICATE", OUT, Tells.NOTHING, authenticate.run),
    requests.Login: CommandRow("LOGIN", OUT, Tells.NOTHING, login.run),
    requests.Compress: CommandRow("COMPRESS", IN, Tells.NOTHING, compress.run),
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
    requests.Append: CommandRow("APPEND", IN, Tells.ALL, append.run),
    requests.Idle: CommandRow("IDLE", IN, Tells.ALL, idle.run),
    requests.Check: CommandRow("CHECK", SELECTED, Tells.LOOKS, check.run),
    requests.Close: CommandRow("CLOSE", SELECTED, Tells.NOTHING, close.run),
    requests.Unselect: CommandRow("UNSELECT", SELECTED, Tells.NOTHING, unselect.run),
    requests.Expunge: CommandRow("EXPUNGE", SELECTED, Tells.OWN_EXPUNGES, expunge.run),
    requests.Search: CommandRow("SEARCH", SELECTED, Tells.UID_EXPUNGES, search.run),
    requests.Sort: CommandRow("SORT", SELECTED, Tells.UID_EXPUNGES, sort.run),
    requests.Thread: CommandRow("THREAD", SELECTED, Tells.UID_EXPUNGES, thread.run),
    requests.Fetch: CommandRow("FETCH", SELECTED, Tells.UID_EXPUNGES, fetch.run),
    requests.Store: CommandRow("STORE", SELECTED, Tells.UID_EXPUNGES, store.run),
    requests.Copy: CommandRow("COPY", SELECTED, Tells.ALL, copy.run),
    requests.Move: CommandRow("MOVE", SELECTED, Tells.OWN_EXPUNGES, move.run),
}
