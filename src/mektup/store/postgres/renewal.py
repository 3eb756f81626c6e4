"""Gives every mailbox of an account numbers that no client and no session has seen; see ``rules.gaps``."""

from __future__ import annotations

from mektup.store import texts
from mektup.store.postgres.change import Change
from mektup.store.postgres.tables import renewal as tables
from mektup.store.postgres.tree import begin_log_at
from mektup.store.rules.counters import next_uidvalidity
from mektup.store.rules.gaps import OLD_CONTENT_GAP, OLD_MAILBOX_GAP, OLD_MODSEQ_GAP, OLD_UID_GAP
from mektup.store.rules.mailbox_names import new_mailboxid
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MAX_UINT32, MailboxId


async def renew(change: Change) -> None:
    """See ``interface.Account.renew``."""
    account = change.account
    old = [MailboxId(mailbox) for (mailbox,) in await change.ask(tables.MAILBOXES, (account,))]
    gaps = (OLD_MODSEQ_GAP, OLD_CONTENT_GAP, OLD_UID_GAP, OLD_MAILBOX_GAP + len(old), change.moment)
    ((last_id, highest),) = await change.ask(tables.LEAVE_GAPS, (*gaps, account))
    modseq = await change.modseq()
    await begin_log_at(change, modseq)
    first = next_uidvalidity(highest, change.moment)
    if first + len(old) - 1 > MAX_UINT32:
        raise Refused(Code.LIMIT, texts.NO_UIDVALIDITY_LEFT)
    new = [MailboxId(number) for number in range(last_id - len(old) + 1, last_id + 1)]
    numbers = list(range(first, first + len(old)))
    values = (modseq, modseq, modseq, old, new, numbers, [new_mailboxid() for _ in old])
    await change.ask(tables.RENEW, (*values, account))
    for statement in tables.RENUMBER:
        await change.ask(statement, (old, new, account))
    await change.ask(tables.USE_UIDVALIDITY, (numbers[-1] if numbers else 0, account))
    change.touched |= {*old, *new}
