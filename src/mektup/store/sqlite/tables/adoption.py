"""Takes over mailboxes and messages of another server; the rules are in ``rules.adoption``."""

from __future__ import annotations

from collections.abc import Sequence

from mektup.store.adoption import Adopted, Adoption
from mektup.store.interface import Mailbox
from mektup.store.rules import adoption as rules
from mektup.store.rules.mailbox_names import new_mailboxid
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import account_log, adoption_keys, changed_runs, mailboxes, past
from mektup.store.sqlite.tables.boxes import close_box, open_box
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.messages import Adding
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

_DIGESTS = Query("(SELECT c.digest FROM contents AS c WHERE c.id = m.content)")


class _Rows(mailboxes.MailboxRows):
    """A ``rules.adoption.AdoptingTree`` during a change."""

    __slots__ = ()

    def renumber(self, mailbox: MailboxId, uidvalidity: UidValidity) -> None:
        """See ``AdoptingTree``, also for the other methods."""
        modseq = self._change.modseq
        self._use_uidvalidity(uidvalidity)
        account_log.bury_mailbox(self._change, mailbox)
        past.keep_name(self._change, mailbox)
        past.keep_runs(self._cursor, mailbox)
        # AUTOINCREMENT counts insertions, so the new ID is taken by hand
        number = self._cursor.execute(
            "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'mailboxes' RETURNING seq"
        ).get
        self._cursor.execute(
            "UPDATE mailboxes SET id = ?1, uidvalidity = ?2, uidnext = 1, highestmodseq = ?3, mailboxid = ?4, "
            "recent_from = 1, keywords = '', runs = 0, created = ?3, changed = ?3, named = ?6 WHERE id = ?5",
            (number, uidvalidity, modseq, new_mailboxid(), mailbox, self._change.moment),
        )
        for table in ("touched", "expunged", "header_fields"):
            self._cursor.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox,))
        for table in ("access", "metadata", "imported"):
            self._cursor.execute(f"UPDATE {table} SET mailbox = ? WHERE mailbox = ?", (number, mailbox))
        self._change.touched |= {mailbox, MailboxId(number)}

    def with_special_use(self, special_use: str) -> Mailbox | None:
        name = self._cursor.execute("SELECT name FROM mailboxes WHERE special_use = ?", (special_use,)).get
        return None if name is None else self.find(name)

    def set_special_use(self, mailbox: MailboxId, special_use: str | None) -> None:
        past.keep_name(self._change, mailbox)
        changed = "UPDATE mailboxes SET special_use = ?, changed = ?, named = ? WHERE id = ?"
        self._cursor.execute(changed, (special_use, self._change.modseq, self._change.moment, mailbox))
        self._change.touched.add(mailbox)


def adopt_mailbox(
    change: Change,
    name: str,
    uidvalidity: UidValidity | None,
    uidnext: Uid,
    highestmodseq: ModSeq,
    special_use: str | None,
    limits: Limits,
) -> Mailbox:
    """See ``interface.Account.adopt_mailbox``."""
    cursor = change.cursor
    rules.require_uidnext(uidnext)
    rules.require_modseq(highestmodseq)
    if cursor.execute("SELECT modseq < ? FROM account", (highestmodseq,)).get:
        cursor.execute("UPDATE account SET modseq = ?", (highestmodseq,))
    box = open_box(cursor, rules.adopt_mailbox(_Rows(change), name, uidvalidity, special_use, limits).id)
    if uidnext > box.uidnext:
        cursor.execute("INSERT INTO expunged VALUES (?, ?, ?, ?)", (box.id, change.modseq, box.uidnext, uidnext - 1))
        box.uidnext = uidnext
        close_box(change, box)
    if box.highestmodseq < highestmodseq:
        cursor.execute("UPDATE messages SET modseq = ? WHERE mailbox = ?", (change.modseq, box.id))
        cursor.execute("UPDATE mailboxes SET highestmodseq = ? WHERE id = ?", (change.modseq, box.id))
        changed_runs.rebuild(cursor, box.id)
        change.touched.add(box.id)
    return mailboxes.mailbox(cursor, name)


def adopt(
    change: Change,
    mailbox: MailboxId,
    messages: Sequence[Adopted],
    keyword_sets: SqliteKeywordSets,
    packing: Packing,
    limits: Limits,
) -> Adoption:
    """See ``interface.Account.adopt``."""
    cursor = change.cursor
    change.keeps_names = True
    box = open_box(cursor, mailbox)
    first, now = box.uidnext, change.moment
    known = adoption_keys.known(cursor, mailbox, [each.key for each in messages if each.key is not None])
    digests = _digests(cursor, mailbox, rules.given_below(messages, box.uidnext))
    sorting = rules.sort_out(box, messages, known, digests)
    adoption_keys.remember(change, mailbox, sorting.keys)
    if not sorting.new:
        return sorting.answer(box, box.highestmodseq)
    recent_from = rules.recent_from(box, first)
    box.recent_from = recent_from
    cursor.execute("UPDATE mailboxes SET recent_from = ? WHERE id = ?", (recent_from, mailbox))
    numbers = change.name_contents(len(sorting.new))
    adding = Adding(change, box, keyword_sets, packing, limits)
    for number, (uid, message) in zip(numbers, sorting.new, strict=True):
        saved = now if message.saved is None else message.saved
        adding.add(uid, number, message.incoming, arrived=now, saved=saved)
    cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)",
        [(mailbox, change.modseq, start, stop) for start, stop in sorting.gaps],
    )
    if any(message.saved is not None for _, message in sorting.new):
        past.note_late(change, mailbox, NumberSet.of_sorted([uid for uid, _ in sorting.new]))
    close_box(change, box, [(change.modseq, NumberSet.span(first, box.uidnext - 1), 0)])
    return sorting.answer(box, change.modseq)


def _digests(cursor: Cursor, mailbox: MailboxId, uids: Sequence[Uid]) -> dict[Uid, bytes]:
    asked: Uids = NumberSet.of_sorted(uids)
    return {uid: digest for rows in slices(cursor, _DIGESTS, mailbox, asked) for uid, digest in rows}
