"""UNAUTHENTICATE on a socket: the server counts the client as a stranger again."""

from __future__ import annotations

import imaplib

import pytest

from mektup import Server
from mektup.terms.limits import Limits


def test_a_client_that_left_has_no_place_of_its_own() -> None:
    users = {"linda": "Pa$$123", "fred": "Pa$$123"}
    limits = Limits(connections_per_account=1, connections_per_address_before_login=1)
    with Server(users=users, limits=limits).in_thread() as server:
        with imaplib.IMAP4(*server.address("imap")) as first:
            first.login("linda", "Pa$$123")
            imaplib.Commands["UNAUTHENTICATE"] = ("AUTH", "SELECTED")
            assert first._simple_command("UNAUTHENTICATE")[0] == "OK"
            visits = server._server._running.node.sessions.serving.values()
            assert [visit.user for visit in visits] == [None]
            # it is a stranger, and its network may have only one
            with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
                imaplib.IMAP4(*server.address("imap"))
            first.state = "NONAUTH"
            assert first.login("fred", "Pa$$123")[0] == "OK"
            with imaplib.IMAP4(*server.address("imap")) as second:
                assert second.login("linda", "Pa$$123")[0] == "OK"
