"""Metadata in memory: a ``store.metadata.AccountMetadata``, and a ``ServerMetadata``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mektup.store.metadata import ChangedEntry, MetadataChanges, Values, Wanted
from mektup.store.rules import metadata as rules
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId, ModSeq
from tests.support.naive.state import Rows, State, Transaction


def _entries(rows: Rows, mailbox: MailboxId, user: AccountId, wanted: Wanted) -> Mapping[str, bytes]:
    return {
        entry: value
        for (where, owner, entry), (_, value) in sorted(rows.items(), key=lambda row: row[0][2])
        if where == mailbox and owner in ("", user) and value is not None and rules.is_wanted(entry, wanted)
    }


def _set(rows: Rows, mailbox: MailboxId, user: AccountId, values: Values, limits: Limits, modseq: int) -> None:
    rules.require_small(values, limits)
    before = _octets(rows)
    for entry, value in values.items():
        key = mailbox, rules.user_of(entry, user), entry
        if value is not None or rows.get(key, (0, None))[1] is not None:
            rows[key] = modseq, value
    grown = _octets(rows) if _octets(rows) > before else 0
    for owner in {rules.user_of(entry, user) for entry, value in values.items() if value is not None}:
        there = [
            1 for (where, who, _), (_, value) in rows.items() if (where, who) == (mailbox, owner) and value is not None
        ]
        rules.require_few(len(there), grown, limits)


def _octets(rows: Rows) -> int:
    return sum(len(value or b"") for _, value in rows.values())


def _changes(rows: Rows, since: ModSeq, user: AccountId) -> MetadataChanges:
    changed = {(key[0], key[2]) for key, (modseq, _) in rows.items() if modseq > since and key[1] in ("", user)}
    highest = max([since, *(modseq for modseq, _ in rows.values())])
    return MetadataChanges(ModSeq(highest), [ChangedEntry(*each) for each in sorted(changed)])


class NaiveMetadata:
    """The metadata of an account."""

    def __init__(
        self, read: Callable[[], State], write: Callable[[Callable[[Transaction], None]], None], limits: Limits
    ) -> None:
        self._read, self._write, self._limits = read, write, limits

    async def entries(
        self, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
    ) -> Mapping[MailboxId, Mapping[str, bytes]]:
        rows = self._read().metadata
        return {mailbox: _entries(rows, mailbox, user, wanted) for mailbox in mailboxes}

    async def set_entries(self, mailbox: MailboxId, user: AccountId, values: Values) -> None:
        def make(change: Transaction) -> None:
            if mailbox and mailbox not in change.state.folders:
                raise no_such_mailbox()
            _set(change.state.metadata, mailbox, user, values, self._limits, change.modseq)
            change.touched.add(ACCOUNT_ITSELF)

        self._write(make)

    async def changes(self, since: ModSeq, user: AccountId) -> MetadataChanges:
        return _changes(self._read().metadata, since, user)


class NaiveServerMetadata:
    """The shared metadata of the server."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._rows, self._modseq = limits, Rows(), 0

    async def entries(self, wanted: Wanted) -> Mapping[str, bytes]:
        return _entries(self._rows, ACCOUNT_ITSELF, rules.NOBODY, wanted)

    async def set_entries(self, values: Values) -> None:
        rows = dict(self._rows)
        _set(rows, ACCOUNT_ITSELF, rules.NOBODY, values, self._limits, self._modseq + 1)
        self._rows, self._modseq = rows, self._modseq + 1

    async def changes(self, since: ModSeq) -> MetadataChanges:
        return _changes(self._rows, since, rules.NOBODY)
