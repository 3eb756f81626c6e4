"""Reads a mailbox: SELECT, what changed, and what changed for a client that comes back. One round trip each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mektup.store.interface import Changes, Mailbox, Selection, Touched
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.states import Answer, States
from mektup.store.postgres.tables import message_reads
from mektup.store.postgres.values import is_storable
from mektup.store.rules.changes import (
    NONE,
    UNKNOWN,
    Known,
    Since,
    selection,
    with_recent,
    with_recent_arrived,
)
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.state_blocks import FlagRow, changed_since, first_unseen
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

FEW_TOLD: Final = 500
"""For more messages, what changed is told without their flags."""


class Reading:
    """The methods of an ``interface.Account`` that say what is in a mailbox and what changed."""

    def __init__(
        self, database: AccountDatabase, states: States, keyword_sets: PostgresKeywordSets, memory: Memory
    ) -> None:
        self._database = database
        self._account = database.account
        self._states = states
        self._keyword_sets = keyword_sets
        self._known: Memo[str, tuple[MailboxId, Known]] = Memo(memory, MemoKind.UIDS)

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        """See ``interface.Account``, also for the other methods."""
        key = mailbox_key(name)
        if not is_storable(key):
            raise no_such_mailbox()
        mailbox, known = self._known.get(key) or (MailboxId(0), UNKNOWN)
        parameters = {
            "name": key,
            "known": mailbox,
            "since": known.modseq,
            "claim": claim_recent,
            "from": 1,
        }
        answer = await self._ask(message_reads.SELECT, parameters)
        box = answer.require_box()
        if box.id != mailbox or known.modseq > box.highestmodseq:
            known = UNKNOWN
        uids = known.uids_now(box.uidnext, NumberSet(answer.expunged))
        unseen = first_unseen(self._states.note_changes(answer, ModSeq(0)).values(), answer.tail)
        now = Known(box.highestmodseq, box.uidnext, uids, unseen)
        self._known.put(key, (box.id, now), uids.octets)
        messages, unseen_messages, deleted, size, recent, special_use = answer.counters
        spelled, mailboxid = answer.names
        found = Mailbox(
            box.id,
            spelled,
            box.uidvalidity,
            box.uidnext,
            box.highestmodseq,
            messages,
            unseen_messages,
            deleted,
            size,
            0 if box.claimed else recent,
            mailboxid,
            special_use,
            True,
        )
        opened = selection(found, now, box.keywords.split())
        return with_recent(opened, Uid(box.claimed)) if box.claimed else opened

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        found = await self._database.ask(message_reads.MODSEQ, {"account": self._account, "mailbox": mailbox})
        if not found:
            raise no_such_mailbox()
        return ModSeq(found[0][0])

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        state = Since(since, expunged_since, uidnext)
        answer = await self._changed(mailbox, since, expunged_since, claim_recent=claim_recent, uidnext=uidnext)
        box = answer.require_box()
        expunged: Uids = NumberSet(answer.expunged)
        rows = self._flags(answer, since)
        changed = state.flags_changed(_uids(rows), expunged)
        flags = [row for row in rows if row[0] in changed] if len(changed) <= FEW_TOLD else None
        found = state.told(box.highestmodseq, box.uidnext, box.keywords, changed, flags, expunged)
        return with_recent_arrived(found, Uid(box.claimed)) if box.claimed else found

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        answer = await self._changed(mailbox, since, since)
        if answer.require_box().highestmodseq <= since:
            return Touched(NONE, NONE, ())
        rows = self._flags(answer, since)
        changed = _uids(rows)
        return Touched(changed, NumberSet(answer.expunged), rows if len(rows) <= FEW_TOLD else None)

    async def _changed(
        self,
        mailbox: MailboxId,
        since: ModSeq,
        expunged_since: ModSeq,
        *,
        claim_recent: bool = False,
        uidnext: int = 1,
    ) -> Answer:
        parameters = {
            "mailbox": mailbox,
            "since": since,
            "expunged_since": expunged_since,
            "claim": claim_recent,
            "from": uidnext,
        }
        return await self._ask(message_reads.CHANGES, parameters)

    async def _ask(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        ours = {"account": self._account, "sets": self._keyword_sets.highest}
        return self._states.sorted_out(await self._database.ask(statement, {**parameters, **ours}))

    def _flags(self, answer: Answer, since: ModSeq) -> list[FlagRow]:
        """The messages that arrived or were changed after *since*."""
        blocks = self._states.note_changes(answer, since) if answer.flags else {}
        return changed_since(since, blocks.values(), answer.tail)


def _uids(rows: Sequence[FlagRow]) -> Uids:
    return NumberSet.of_sorted([row[0] for row in rows]) if rows else NONE
