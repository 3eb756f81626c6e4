"""SORT and THREAD answer as Dovecot does: for the corpus, and for invented messages that are hard to thread."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from tests.peer.imap_client import ImapClient
from tests.peer.sorting import Ours, Theirs, made_up, threads_of

EIGHT_BIT = """RFC 5051 §2: "If the input string is in a known charset that can be converted to Unicode, a sequence in
the string's charset is read". The header has raw octets in ISO-8859-1. mektup decodes them so, as in SEARCH, and so
sorts and threads the message like the same text in encoded words. Dovecot does not decode them."""

TWO_DATES = """RFC 5256 §2.2: the sent date is "the date and time from the Date: header". The message has two,
and one of them is cut off. mektup uses the one that ENVELOPE shows, also in Dovecot. For sorting, Dovecot uses
neither."""

LATEST_SENT = """draft-ietf-morg-inthread: REFS sorts threads by the INTERNALDATE of their latest message. Dovecot takes
the sent date. So only the threads are compared here, not their order."""

DIFFERENCES = {
    "mail-parser/legacy-010.eml": (EIGHT_BIT, {SortKey.SUBJECT, SortKey.DISPLAYTO}),
    "mail-parser/legacy-017.eml": (EIGHT_BIT, {SortKey.DISPLAYTO}),
    "mail-parser/legacy-020.eml": (EIGHT_BIT, {SortKey.SUBJECT, SortKey.DISPLAYTO}),
    "mail-parser/legacy-022.eml": (EIGHT_BIT, {SortKey.SUBJECT, SortKey.DISPLAYTO}),
    "mail-parser/legacy-027.eml": (EIGHT_BIT, {SortKey.SUBJECT, SortKey.DISPLAYTO}),
    "mail-parser/legacy-052.eml": (EIGHT_BIT, {SortKey.SUBJECT, SortKey.DISPLAYTO}),
    "mail-parser/malformed-019.eml": (TWO_DATES, {SortKey.DATE}),
}
"""By message: the reason, and the keys by which it sorts to another place."""

SEEDS = range(60)


async def test_the_corpus(witness: ImapClient, messages: dict[str, bytes]) -> None:
    ours, theirs = await Ours.of(list(messages.values())), Theirs(witness, "sorted-corpus", list(messages.values()))
    names = dict(enumerate(messages, 1))
    every: Uids = Uids.span(1, len(messages))
    for key in set(SortKey) - {SortKey.RELEVANCY}:
        differing = {uid for uid, name in names.items() if name in DIFFERENCES and key in DIFFERENCES[name][1]}
        alike = every - NumberSet.of(map(Uid, differing))
        for reverse in (False, True):
            criteria = [SortCriterion(key, reverse)]
            assert await ours.sort(criteria, alike) == theirs.sort(criteria, alike), key
        for uid in differing:
            with_it = alike | NumberSet.of([Uid(uid)])
            assert await ours.sort(criteria, with_it) != theirs.sort(criteria, with_it), (
                f"{names[uid]} no longer differs"
            )
    alike = every - NumberSet.of(Uid(uid) for uid, name in names.items() if name in DIFFERENCES)
    for algorithm in ThreadAlgorithm:
        assert threads(algorithm, await ours.thread(algorithm, alike)) == threads(
            algorithm, theirs.thread(algorithm, alike)
        )
    await ours.close()


def threads(algorithm: ThreadAlgorithm, answer: str) -> list[str]:
    """The threads of *answer*: in order, unless the order differs; see LATEST_SENT."""
    found = threads_of(answer)
    return sorted(found) if algorithm is ThreadAlgorithm.REFS else found


@pytest.mark.parametrize("seed", SEEDS)
async def test_messages_made_up(witness: ImapClient, seed: int) -> None:
    messages = made_up(seed)
    ours, theirs = await Ours.of(messages), Theirs(witness, f"made-up-{seed}", messages)
    chance = random.Random(seed)
    every: Uids = Uids.span(1, len(messages))
    some = NumberSet.of(Uid(uid) for uid in every if chance.random() < 0.7) or every
    for uids in (every, some):
        for algorithm in ThreadAlgorithm:
            assert threads(algorithm, await ours.thread(algorithm, uids)) == threads(
                algorithm, theirs.thread(algorithm, uids)
            )
        for keys in chance.sample(
            list(permutations((SortKey.DATE, SortKey.SUBJECT, SortKey.FROM, SortKey.SIZE), 2)), 6
        ):
            criteria = [SortCriterion(key, chance.random() < 0.5) for key in keys]
            assert await ours.sort(criteria, uids) == theirs.sort(criteria, uids), criteria
    await ours.close()
