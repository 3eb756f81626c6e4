"""Python's poplib: RETR, stable UIDL, deletions that take effect for IMAP only at QUIT, and both kinds of TLS."""

from __future__ import annotations

import poplib
import socket
import ssl

import pytest

from .mail import DOTS, PLAIN, SAMPLES, append, held, logged_in
from .served import HOST, Account


def pop3(account: Account) -> poplib.POP3:
    """A session of *account*, logged in."""
    client = poplib.POP3(HOST, account.port("pop3"), timeout=30)
    client.user(account.name)
    client.pass_(account.password)
    return client


def retrieved(client: poplib.POP3, number: int) -> bytes:
    """Message *number*, with its lines as they were sent."""
    _, lines, _ = client.retr(number)
    return b"".join(line + b"\r\n" for line in lines)


def test_everything_comes_back(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    client = pop3(account)
    assert client.stat() == (len(SAMPLES), sum(map(len, SAMPLES)))
    for number, raw in enumerate(SAMPLES, 1):
        # RFC 1939 §3: POP3 sends a line end at the end, even if the message has none.
        assert retrieved(client, number) == (raw if raw.endswith(b"\r\n") else raw + b"\r\n")
    assert client.list()[1] == [b"%d %d" % (number, len(raw)) for number, raw in enumerate(SAMPLES, 1)]
    header, _, body = DOTS.partition(b"\r\n\r\n")
    assert client.top(2, 3)[1] == [*header.split(b"\r\n"), b"", *body.split(b"\r\n")[:3]]
    client.quit()


def test_uidl_stays(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    client = pop3(account)
    first = [line.split()[1] for line in client.uidl()[1]]
    client.dele(2)
    client.quit()
    append(account, "INBOX", [PLAIN])
    client = pop3(account)
    second = [line.split()[1] for line in client.uidl()[1]]
    client.quit()
    assert len(set(first)) == len(SAMPLES)
    assert second[:-1] == [first[0], *first[2:]]
    assert second[-1] not in first


def test_pop3_deletions_take_effect_for_imap_at_quit(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    with logged_in(account) as imap:
        imap.select()
        client = pop3(account)
        client.dele(1)
        client.dele(3)
        imap.noop()
        assert imap.response("EXPUNGE") == ("EXPUNGE", [None])
        client.quit()
        imap.noop()
        # The second message was the third one before the first was removed.
        assert imap.response("EXPUNGE") in [("EXPUNGE", [b"1", b"2"]), ("EXPUNGE", [b"3", b"1"])]
    assert [m.raw for m in held(account)] == [SAMPLES[1], *SAMPLES[3:]]


def test_a_session_that_dies_deletes_nothing(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    client = pop3(account)
    client.dele(1)
    client.sock.shutdown(socket.SHUT_RDWR)
    client.close()
    # A new session of the same maildrop: after its login, the broken one has ended.
    again = pop3(account)
    assert again.stat()[0] == len(SAMPLES)
    again.quit()
    assert len(held(account)) == len(SAMPLES)


def test_rset_forgets_deletions(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    client = pop3(account)
    client.dele(1)
    client.rset()
    client.quit()
    assert len(held(account)) == len(SAMPLES)


def test_tls_on_connect_and_by_stls(account: Account) -> None:
    append(account, "INBOX", [PLAIN])
    trust = ssl.create_default_context(cafile=str(account.certificate))
    for client in (
        poplib.POP3_SSL("localhost", account.port("pop3s"), context=trust, timeout=30),
        poplib.POP3("localhost", account.port("pop3"), timeout=30),
    ):
        if not isinstance(client, poplib.POP3_SSL):
            client.stls(trust)
        assert {"UIDL", "TOP", "SASL"} <= client.capa().keys()
        client.user(account.name)
        client.pass_(account.password)
        assert retrieved(client, 1) == PLAIN
        client.quit()


def test_wrong_password_is_refused(account: Account) -> None:
    client = poplib.POP3(HOST, account.port("pop3"), timeout=30)
    client.user(account.name)
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
        client.pass_("wrong")
    client.quit()
