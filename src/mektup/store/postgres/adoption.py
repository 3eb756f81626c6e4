"""Takes over mailboxes and messages of another server; the rules are in ``rules.adoption``."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

from mektup.store.adoption import Adopted, Adoption
from mektup.store.interface import Mailbox
from mektup.store.postgres import tree
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.change import Change
from mektup.store.postgres.mailboxes import Mailboxes, read_mailbox
from mektup.store.postgres.messages import Messages
from mektup.store.postgres.tables import adoption as tables
from mektup.store.rules import adoption as rules
from mektup.store.rules.counters import Box
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.rules.refusals import require_not_too_big
from mektup.store.state_blocks import SLOTS, FlagBlock, facts_of, packed_flags
from mektup.store.state_changes import FOLD_ROWS
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids


class Adopting:
    """See ``interface.Account`` for each method."""

    __slots__ = ("_database", "_limits", "_mailboxes", "_messages")

    def __init__(self, database: AccountDatabase, mailboxes: Mailboxes, messages: Messages, limits: Limits) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._messages = messages
        self._limits = limits

    async def adopt_mailbox(
        self,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq,
        special_use: str | None,
    ) -> Mailbox:
        rules.require_uidnext(uidnext)
        rules.require_modseq(highestmodseq)

        async def make(change: Change) -> Mailbox:
            if change.before < highestmodseq:
                await change.ask(tables.RAISE_MODSEQ, (highestmodseq, change.account))
            planned = await tree.read(change)
            name_here = rules.adopt_mailbox(planned, name, uidvalidity, special_use, self._limits).name
            await self._mailboxes.carry_out(planned, change)
            box = await read_mailbox(change, name_here)
            if uidnext > box.uidnext:
                modseq = await change.modseq()
                await _note_expunged(change, box.id, modseq, [(box.uidnext, uidnext - 1)])
                await change.ask(tables.RAISE_UIDNEXT, (uidnext, modseq, change.account, box.id))
                change.touched.add(box.id)
            if box.highestmodseq < highestmodseq:
                await _touch_all(change, box.id)
            return await read_mailbox(change, name_here)

        return await self._database.write(make)

    async def adopt(self, mailbox: MailboxId, messages: Sequence[Adopted]) -> Adoption:
        tail = 0
        incoming = [each.incoming for each in messages]
        words = await self._messages.writing.words(incoming)  # before, because sets that are added must stay
        words_of = {id(each): word for each, word in zip(incoming, words, strict=True)}

        async def make(change: Change) -> Adoption:
            nonlocal tail
            box = await _open(change, mailbox)
            first = box.uidnext
            known = await _known(change, mailbox, [each.key for each in messages if each.key is not None])
            digests = await self._digests(change, mailbox, rules.given_below(messages, box.uidnext))
            sorting = rules.sort_out(box, messages, known, digests)
            if sorting.keys:
                keys = sorted(map(_key, sorting.keys))
                await change.ask(tables.REMEMBER, (change.account, mailbox, keys))
            if not sorting.new:
                return sorting.answer(box, box.highestmodseq)
            box.recent_from = rules.recent_from(box, first)
            tail = await self._add(change, box, sorting, words_of)
            return sorting.answer(box, await change.modseq())

        adopted = await self._database.write(make)
        if tail > FOLD_ROWS:
            self._messages.writing.fold_later(mailbox)
        return adopted

    async def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
        by_key = {_key(key): key for key in keys}
        rows = await self._database.ask(tables.KNOWN, (self._database.account, mailbox, list(by_key)))
        return frozenset(by_key[key] for (key,) in rows)

    async def _add(self, change: Change, box: Box, sorting: rules.Sorting, words_of: Mapping[int, int]) -> int:
        """Adds the new messages, and writes *box*; returns how many rows its tail has now.

        *words_of*: the flag word of each message, by its identity.
        """
        incoming = [message.incoming for _, message in sorting.new]
        uids = [uid for uid, _ in sorting.new]
        for each in incoming:
            require_not_too_big(each.arrival.size, self._limits)
        writing = self._messages.writing
        words = [words_of[id(each)] for each in incoming]
        box.use_keywords(writing.keywords_in_turn(words), self._limits)
        for uid, word, each in zip(uids, words, incoming, strict=True):
            box.count(word, each.arrival.size, uid, 1)
        modseq = await change.modseq()
        begun = writing.begun(modseqs=0, contents=len(uids), octets=box.size, messages=len(uids))
        given = begun | await writing.added(incoming, words) | {"mailbox": box.id, "moment": change.moment}
        await change.ask(tables.ADD, given)
        saved = [message.saved for _, message in sorting.new]
        await change.ask(tables.PLACE, (uids, saved, change.account, box.id))
        await _note_expunged(change, box.id, modseq, sorting.gaps)
        if any(each is not None for each in saved):
            runs = NumberSet.of_sorted(uids).runs
            values = [first for first, _ in runs], [last for _, last in runs]
            await change.ask(tables.NOTE_LATE, (change.account, change.moment, box.id, *values))
        grown = box.messages, box.unseen, box.deleted, box.size, box.recent, len(uids)
        values_of_box = box.uidnext, modseq, box.recent_from, box.keywords
        ((tail,),) = await change.ask(tables.CLOSE, (*values_of_box, *grown, change.account, box.id))
        change.touched.add(box.id)
        return int(tail)

    async def _digests(self, change: Change, mailbox: MailboxId, given: Sequence[Uid]) -> Mapping[Uid, bytes]:
        """The digests of those of the UIDs *given* that have a message."""
        if not given:
            return {}
        uids: Uids = NumberSet.of_sorted(given)
        state = await self._messages.states.read(mailbox, uids, change.ask, facts=True)
        facts = facts_of(uids, state.fact_blocks, state.flags, state.tail)
        rows = await change.ask(tables.DIGESTS, (change.account, sorted({fact.content for fact in facts})))
        digests: dict[int, bytes] = dict(rows)
        return {fact.uid: digests[fact.content] for fact in facts}


async def _open(change: Change, mailbox: MailboxId) -> Box:
    """The state of *mailbox*. Raises Refused(NONEXISTENT), also where it is not selectable."""
    for row in await change.ask(tables.BOX, (change.account, mailbox)):
        return Box(*row)
    raise no_such_mailbox()


async def _known(change: Change, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
    """Those of *keys* that the mailbox remembers."""
    if not keys:
        return frozenset()
    by_key = {_key(key): key for key in keys}
    rows = await change.ask(tables.KNOWN, (change.account, mailbox, list(by_key)))
    return frozenset(by_key[key] for (key,) in rows)


async def _note_expunged(change: Change, mailbox: MailboxId, modseq: ModSeq, runs: Sequence[tuple[int, int]]) -> None:
    if runs:
        values = [first for first, _ in runs], [last for _, last in runs]
        await change.ask(tables.ADD_EXPUNGED, (change.account, mailbox, modseq, *values))


async def _touch_all(change: Change, mailbox: MailboxId) -> None:
    """Makes all messages of *mailbox* count as changed."""
    modseq, account = await change.modseq(), change.account
    await change.ask(tables.TOUCH_TAIL, (modseq, account, mailbox))
    own = array("q", (0,)) * SLOTS
    blocks = [FlagBlock.read(*row) for row in await change.ask(tables.FLAGS, (account, mailbox))]
    rows = [(modseq, packed_flags(block.words, own), account, mailbox, block.number) for block in blocks]
    await change.ask_many(tables.SET_FLAGS, rows)
    await change.ask(tables.TOUCH_MAILBOX, (modseq, account, mailbox))
    change.touched.add(mailbox)


def _key(key: bytes) -> bytes:
    """A key as it is stored: callers choose their length."""
    return blake2b(key, digest_size=16).digest()
