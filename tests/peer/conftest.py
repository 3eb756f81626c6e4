"""The witness: a Dovecot that holds the corpus, started once for all comparisons."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peer import corpus, dovecot
from tests.peer.comparison import Answers, items, peeking, prepared
from tests.peer.imap_client import ImapClient

MAILBOX = "corpus"


@pytest.fixture(scope="session")
def messages() -> dict[str, bytes]:
    """The messages of the corpus, by name."""
    found = corpus.messages()
    if not found:
        pytest.skip("no corpus of messages: set MEKTUP_CORPUS, or put it at ../shared/corpus")
    return found


@pytest.fixture(scope="session")
def witness() -> Iterator[ImapClient]:
    """A client, logged in to a Dovecot of our own."""
    if reason := dovecot.missing():
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="dovecot-") as root,
        dovecot.running(Path(root)) as at,
        ImapClient(at.host, at.port, at.user, at.password) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def testimony(witness: ImapClient, messages: dict[str, bytes]) -> dict[str, Answers]:
    """The witness's answers for each message of the corpus."""
    return fetch_corpus(witness, messages)


def fetch_corpus(client: ImapClient, messages: dict[str, bytes]) -> dict[str, Answers]:
    """Appends every message to a mailbox of the server, and fetches everything that is compared."""
    client.command(f"CREATE {MAILBOX}".encode())
    for raw in messages.values():
        client.append(MAILBOX, raw)
    client.command(f"SELECT {MAILBOX}".encode())
    answers = {}
    for seq, (name, raw) in enumerate(messages.items(), 1):
        layout, _ = prepared(raw)
        answers[name] = client.fetch(seq, *map(peeking, items(layout)))
    return answers
