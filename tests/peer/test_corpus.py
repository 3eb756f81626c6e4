"""Every message of the corpus: what mektup makes of it is what Dovecot makes of it."""

from __future__ import annotations

from tests.peer.comparison import Answers, differences, items, prepared
from tests.peer.differences import DIFFERENCES


def test_what_arrival_prepares_is_what_dovecot_answers(
    messages: dict[str, bytes], testimony: dict[str, Answers]
) -> None:
    found = {}
    told = []
    for name, raw in messages.items():
        layout, ours = prepared(raw)
        theirs = testimony[name]
        assert set(items(layout)) <= set(theirs), f"{name}: not all was answered"
        differing = list(differences(ours, theirs))
        found[name] = frozenset(item for item, _, _ in differing)
        _, known = DIFFERENCES.get(name, ("", frozenset()))
        told += [f"{name} {item}:\n  {mine!r}\n  {other!r}" for item, mine, other in differing if item not in known]
    assert not told, "\n".join(told)
    assert {name: items for name, items in found.items() if items} == {
        name: items for name, (_, items) in DIFFERENCES.items()
    }
