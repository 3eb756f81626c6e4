"""A search by another comparator, with the index and without it: the answer is what the message says."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.message.comparing import COMPARISONS
from mektup.message.text import search_text
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.store.rules.compared_texts import field_has, texts_have
from mektup.store.sqlite import open_store
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.search import Compared, InBody, InHeader, InSubject, InText
from tests.contract.mail import EVERYTHING, inbox

OTHERS = [each for each in Comparator if each is not DEFAULT]
TEXTS = st.text(st.sampled_from("iıİIuüUÜsßSabc \u0307\u0308ﬁǆ"), min_size=3, max_size=12)


def raw(subject: str, body: str) -> bytes:
    return f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n".encode()


def expected(octets: bytes, key: Compared) -> bool:
    header = octets.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    comparator, text = key.comparator, key.key.text
    if isinstance(key.key, InSubject | InHeader):
        return field_has(header, "subject", text, comparator, DEFAULT_LIMITS)
    texts = search_text(octets, DEFAULT_LIMITS, COMPARISONS[comparator].fold)
    return texts_have(texts, text, comparator, in_headers=isinstance(key.key, InText))


async def check(messages: list[bytes], indexed: int, asked: list[str]) -> None:
    store = await open_store(None)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)
    await account.append(mailbox, [Incoming(prepare(each)) for each in messages[:indexed]])
    await account.indexer.finish()
    await account.append(mailbox, [Incoming(prepare(each)) for each in messages[indexed:]])
    for text in asked:
        for comparator in OTHERS:
            for leaf in (InSubject(text), InHeader("subject", text), InBody(text), InText(text)):
                key = Compared(leaf, comparator)
                uids = [uid for uid, each in enumerate(messages, 1) if expected(each, key)]
                assert list((await account.search(mailbox, key, EVERYTHING)).uids) == uids, key
    await store.close()


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), st.data())
def test_the_answer_is_what_the_messages_say(texts: list[tuple[str, str]], data: st.DataObject) -> None:
    messages = [raw(subject.strip() or "x", body) for subject, body in texts]
    whole = "".join(subject + body for subject, body in texts)
    start = data.draw(st.integers(0, len(whole) - 1))
    there = whole[start : start + data.draw(st.integers(1, 8))]
    asked = [text for text in (there, there.swapcase(), data.draw(TEXTS)) if text.strip()]
    asyncio.run(check(messages, data.draw(st.integers(0, len(messages))), asked))
