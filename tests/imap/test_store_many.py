"""A silent STORE of many messages tells the modseq of each to a client that knows modseqs (RFC 7162 §3.1.3)."""

from __future__ import annotations

import re

import pytest

from mektup.imap.session import ImapSession
from mektup.store.sqlite.tables import messages
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.support.dialogue import Dialogue
from tests.support.services import append, given_services

MESSAGES = messages.FEW_SHOWN + 30


@pytest.mark.parametrize("gone", [(), (1, 7, 50)])
async def test_each_message_that_changed_is_told_with_its_modseq(gone: tuple[int, ...]) -> None:
    async with given_services() as given:
        account = await given.account()
        for number in range(MESSAGES):
            await append(account, b"Subject: %d\r\n\r\n" % number)
        mailbox = (await account.mailbox("INBOX")).id
        await account.remove(mailbox, NumberSet.of([Uid(uid) for uid in gone]))
        there = [uid for uid in range(1, MESSAGES + 1) if uid not in gone]
        async with Dialogue(ImapSession, given.services) as dialogue:
            dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX (CONDSTORE)\r\n")
            await dialogue.until(b"] Opened\r\n")
            dialogue.send(b"c STORE 2 +FLAGS.SILENT (\\Flagged)\r\n")
            await dialogue.until(b"c OK STORE completed\r\n")
            dialogue.send(b"d STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n")
            said = await dialogue.until(b"d OK STORE completed\r\n")
        modseq = await account.modseq(mailbox)
        told = [tuple(map(int, line)) for line in re.findall(rb"\* (\d+) FETCH \(UID (\d+) MODSEQ \((\d+)\)\)", said)]
        # the second had the flag already
        assert told == [(seq, uid, modseq) for seq, uid in enumerate(there, 1) if seq != 2]
