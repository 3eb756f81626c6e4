"""Every command in every state: allowed or BAD, and a BAD changes nothing (RFC 9051 §3, §6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mektup.imap.session import ImapSession
from mektup.imap.table import TABLE, SessionState
from mektup.session.services import Services
from mektup.terms.peer import Peer
from mektup.wire import requests
from tests.support.backend import open_world
from tests.support.runner import Connection
from tests.support.transcript import parse

LINES: dict[type[requests.Request], tuple[bytes, ...]] = {
    requests.Capability: (b"CAPABILITY",),
    requests.Noop: (b"NOOP",),
    requests.Logout: (b"LOGOUT",),
    requests.Id: (b"ID NIL", b'ID ("name" "x")'),
    requests.Language: (b"LANGUAGE", b"LANGUAGE tr"),
    requests.StartTls: (b"STARTTLS",),
    requests.Authenticate: (b"AUTHENTICATE PLAIN AGxpbmRhAFBhJCQxMjM=",),
    requests.Login: (b"LOGIN linda Pa$$123",),
    requests.Unauthenticate: (b"UNAUTHENTICATE",),
    requests.Compress: (b"COMPRESS DEFLATE",),
    requests.ChooseComparator: (b"COMPARATOR", b'COMPARATOR "i;*"'),
    requests.Enable: (b"ENABLE IMAP4rev2",),
    requests.Select: (b"SELECT INBOX", b"EXAMINE INBOX"),
    requests.Create: (b"CREATE new",),
    requests.Delete: (b"DELETE Archive",),
    requests.Rename: (b"RENAME Archive Old",),
    requests.Subscribe: (b"SUBSCRIBE Sent",),
    requests.Unsubscribe: (b"UNSUBSCRIBE Sent",),
    requests.List: (b'LIST "" *', b'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))'),
    requests.Lsub: (b'LSUB "" *',),
    requests.Namespace: (b"NAMESPACE",),
    requests.SetAcl: (b"SETACL INBOX anyone l",),
    requests.DeleteAcl: (b"DELETEACL INBOX anyone",),
    requests.GetAcl: (b"GETACL INBOX",),
    requests.ListRights: (b"LISTRIGHTS INBOX anyone",),
    requests.MyRights: (b"MYRIGHTS INBOX",),
    requests.Status: (b"STATUS INBOX (MESSAGES)",),
    requests.GetMetadata: (b"GETMETADATA INBOX /private/comment",),
    requests.SetMetadata: (b"SETMETADATA INBOX (/private/comment NIL)",),
    requests.GetQuota: (b'GETQUOTA "#user/linda"',),
    requests.GetQuotaRoot: (b"GETQUOTAROOT INBOX",),
    requests.SetQuota: (b'SETQUOTA "#user/linda" (STORAGE 5000)',),
    requests.Append: (b"APPEND INBOX {1+}\r\nx",),
    requests.Notify: (b"NOTIFY NONE",),
    requests.Idle: (b"IDLE\r\nDONE",),
    requests.Notify: (b"NOTIFY NONE",),
    requests.Esearch: (b"ESEARCH IN (personal) ALL", b"ESEARCH IN (mailboxes INBOX) RETURN (COUNT) UNSEEN"),
    requests.Check: (b"CHECK",),
    requests.Close: (b"CLOSE",),
    requests.Unselect: (b"UNSELECT",),
    requests.Expunge: (b"EXPUNGE", b"UID EXPUNGE 1"),
    requests.Search: (b"SEARCH ALL", b"UID SEARCH ALL", b"SEARCH RETURN (COUNT) ALL"),
    requests.Sort: (b"SORT (DATE) UTF-8 ALL", b"UID SORT RETURN (COUNT) (REVERSE FROM) UTF-8 ALL"),
    requests.CancelUpdate: (b'CANCELUPDATE "a1"',),
    requests.Thread: (b"THREAD REFERENCES UTF-8 ALL", b"UID THREAD ORDEREDSUBJECT UTF-8 ALL"),
    requests.UidBatches: (b"UIDBATCHES 500",),
    requests.Fetch: (b"FETCH 1 FLAGS", b"UID FETCH 1 FLAGS"),
    requests.Store: (b"STORE 1 FLAGS ()", b"UID STORE 1 FLAGS ()"),
    requests.Copy: (b"COPY 1 Sent", b"UID COPY 1 Sent"),
    requests.Replace: (b"REPLACE 1 INBOX {1+}\r\nx", b"UID REPLACE 1 INBOX {1+}\r\nx"),
    requests.Move: (b"MOVE 1 Sent", b"UID MOVE 1 Sent"),
}

LEADS_TO: dict[type[requests.Request], SessionState] = {
    requests.Authenticate: SessionState.AUTHENTICATED,
    requests.Login: SessionState.AUTHENTICATED,
    requests.Select: SessionState.SELECTED,
    requests.Close: SessionState.AUTHENTICATED,
    requests.Unauthenticate: SessionState.NOT_AUTHENTICATED,
    requests.Unselect: SessionState.AUTHENTICATED,
}
"""The commands that change the state when they succeed; all others keep it."""

REFUSED = frozenset({requests.SetQuota})
"""The commands that are allowed, but refused: the user is no administrator."""

WAYS_IN: dict[SessionState, tuple[bytes, ...]] = {
    SessionState.NOT_AUTHENTICATED: (),
    SessionState.AUTHENTICATED: (b"LOGIN linda Pa$$123",),
    SessionState.SELECTED: (b"LOGIN linda Pa$$123", b"APPEND INBOX {1+}\r\nx", b"SELECT INBOX"),
}


def cases() -> Iterator[Any]:
    """Each line of each command, in each state."""
    for request, lines in LINES.items():
        for line in lines:
            for state in SessionState:
                yield pytest.param(request, line, state, id=f"{line.decode()!r} {state.name.lower()}")


def test_every_command_is_here() -> None:
    assert LINES.keys() == TABLE.keys()


@pytest.mark.parametrize(("request_type", "line", "state"), [*cases()])
async def test_a_command_is_allowed_in_its_states_only(
    request_type: type[requests.Request], line: bytes, state: SessionState, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[ImapSession] = []
    begin = ImapSession.__init__

    def noted(session: ImapSession, peer: Peer, services: Services) -> None:
        begin(session, peer, services)
        begun.append(session)

    monkeypatch.setattr(ImapSession, "__init__", noted)
    world = await open_world(parse("title\ntls: no\n"), None, by_octet=False)
    try:
        peer = await world.connect("imap")
        connection = Connection(peer, literals=True)
        await connection.response()
        for way in WAYS_IN[state]:
            assert (await answer(connection, way)).startswith(b"t OK")
        if request_type is requests.StartTls:
            peer.send(b"t STARTTLS\r\n")
            answered = await connection.response() or b""
            if answered.startswith(b"t OK"):
                await peer.handshake()
        else:
            answered = await answer(connection, line)
        (session,) = begun
        if state in TABLE[request_type].states:
            assert answered.startswith(b"t NO" if request_type in REFUSED else b"t OK"), answered
            assert session.state is LEADS_TO.get(request_type, state)
        else:
            assert answered.startswith(b"t BAD"), answered
            assert session.state is state
    finally:
        await world.close()


async def answer(connection: Connection, line: bytes) -> bytes:
    """The tagged response to *line*."""
    connection.wire.send(b"t " + line + b"\r\n")
    while (came := await connection.response()) is not None:
        if came.startswith(b"t "):
            return came
    return b"(closed)"
