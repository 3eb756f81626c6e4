"""MESSAGELIMIT (RFC 9738 §3.1): a client that goes on from the UID that it is told gets everything, once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mektup.imap.session import ImapSession
from mektup.store.interface import Account
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.models.caching import numbers
from tests.support.dialogue import Dialogue
from tests.support.services import append, given_services

GONE = (1, 4, 5, 9)
THERE = [uid for uid in range(1, 12) if uid not in GONE]

LIMITED = re.compile(rb"a OK \[MESSAGELIMIT (\d+) (\d+)\]")
FETCHED = re.compile(rb"^\* (\d+) UIDFETCH", re.MULTILINE)
SEARCHED = re.compile(rb"^\* SEARCH([ 0-9]*)\r$", re.MULTILINE)
VANISHED = re.compile(rb"^\* VANISHED ([0-9:,]+)\r$", re.MULTILINE)


@asynccontextmanager
async def opened(limit: int) -> AsyncIterator[tuple[Dialogue, Account]]:
    """A session with UIDONLY on a mailbox with the UIDs THERE."""
    async with given_services() as given:
        account = await given.account()
        for number in range(1, max(THERE) + 1):
            await append(account, b"Subject: %d\r\n\r\n" % number)
        await account.remove((await account.mailbox("INBOX")).id, NumberSet.of([Uid(uid) for uid in GONE]))
        services = replace(given.services, limits=replace(given.services.limits, message_limit=limit))
        async with Dialogue(ImapSession, services) as dialogue:
            dialogue.send(b"a LOGIN linda Pa$$123\r\nb ENABLE UIDONLY\r\nb SELECT INBOX\r\n")
            await dialogue.until(b"] Opened\r\n")
            yield dialogue, account


async def in_parts(dialogue: Dialogue, command: bytes) -> tuple[list[bytes], list[int]]:
    """The answers to *command*, whose ``%d`` is the highest UID, and the lowest UID that each limited one told."""
    answers: list[bytes] = []
    ends: list[int] = []
    upto = max(THERE)
    while True:
        dialogue.send(b"a %b\r\n" % (command % upto))
        answer = b""
        while not (line := await dialogue.line()).startswith(b"a "):
            answer += line + b"\r\n"
        answer += line
        answers.append(answer)
        limited = LIMITED.search(answer)
        if limited is None:
            return answers, ends
        ends.append(int(limited[2]))
        upto = ends[-1] - 1


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
async def test_each_message_is_fetched_once(limit: int) -> None:
    async with opened(limit) as (dialogue, _):
        answers, ends = await in_parts(dialogue, b"UID FETCH 1:%d (FLAGS RFC822.SIZE)")
    told = [[int(uid) for uid in FETCHED.findall(answer)] for answer in answers]
    assert sorted(uid for part in told for uid in part) == THERE
    for part, end in zip(told, ends, strict=False):
        assert part == sorted(part, reverse=True)
        assert (len(part), part[-1]) == (limit, end)


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_each_message_is_found_once(limit: int) -> None:
    async with opened(limit) as (dialogue, _):
        answers, _ends = await in_parts(dialogue, b"UID SEARCH UIDBEFORE 4294967295 UNSEEN UID 1:%d")
    found = [int(uid) for answer in answers for uid in SEARCHED.findall(answer)[0].split()]
    assert sorted(found) == THERE


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_each_message_is_changed_and_removed(limit: int) -> None:
    async with opened(limit) as (dialogue, account):
        answers, _ends = await in_parts(dialogue, b"UID STORE 1:%d +FLAGS (\\Deleted)")
        assert sorted(int(uid) for answer in answers for uid in FETCHED.findall(answer)) == THERE
        answers, _ends = await in_parts(dialogue, b"UID EXPUNGE 1:%d")
        gone = [uid for answer in answers for told in VANISHED.findall(answer) for uid in numbers(told)]
        assert sorted(gone) == THERE
        assert (await account.mailbox("INBOX")).messages == 0


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_each_message_is_moved(limit: int) -> None:
    async with opened(limit) as (dialogue, account):
        await in_parts(dialogue, b"UID MOVE 1:%d Trash")
        assert (await account.mailbox("INBOX")).messages == 0
        assert (await account.mailbox("Trash")).messages == len(THERE)
