"""For every message of the corpus mektup answers as Dovecot does, except for the items that ``differences`` lists."""

from __future__ import annotations

from mektup import Server
from tests.peer.comparison import Answers, differences, items, prepared
from tests.peer.conftest import fetch_corpus
from tests.peer.differences import DIFFERENCES
from tests.peer.imap_client import ImapClient

USER, PASSWORD = "linda", "Pa$$123"


def test_what_is_prepared_at_arrival(messages: dict[str, bytes], testimony: dict[str, Answers]) -> None:
    check({name: prepared(raw)[1] for name, raw in messages.items()}, testimony)


def test_what_a_running_mektup_answers(messages: dict[str, bytes], testimony: dict[str, Answers]) -> None:
    with Server(users={USER: PASSWORD}).in_thread() as server:
        host, port = server.address("imap")
        with ImapClient(host, port, USER, PASSWORD) as client:
            answers = fetch_corpus(client, messages)
    for name, raw in messages.items():
        layout, _ = prepared(raw)
        assert set(items(layout)) <= set(answers[name]), f"{name}: not all was answered"
    check(answers, testimony)


def check(ours: dict[str, Answers], theirs: dict[str, Answers]) -> None:
    """Fails for each difference that is not listed, and for each listed one that does not exist."""
    found = {}
    told = []
    for name, answers in ours.items():
        differing = list(differences(answers, theirs[name]))
        found[name] = {item for item, _, _ in differing}
        _, known = DIFFERENCES.get(name, ("", frozenset()))
        told += [f"{name} {item}:\n  {mine!r}\n  {other!r}" for item, mine, other in differing if item not in known]
    assert not told, "\n".join(told)
    assert {name: items for name, items in found.items() if items} == {
        name: items for name, (_, items) in DIFFERENCES.items() if name in ours
    }
