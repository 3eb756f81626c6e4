"""COPY and MOVE out of the mailboxes of deleted messages: both bring messages back, with all that they had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.store.interface import Copied
from mektup.store.past_account import PastAccount
from mektup.store.rules.mailbox_names import no_such_target
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import ModSeq, UidValidity
from mektup.terms.sets import NumberSet, Uids

if TYPE_CHECKING:
    from mektup.imap.access import Located
    from mektup.imap.sync.view import View


def is_open(view: View) -> bool:
    """Whether *view* is of deleted messages."""
    return isinstance(view.account, PastAccount) and view.account.is_deleted_mail


async def bring_back(view: View, uids: Uids, target: Located, *, stay: bool) -> Copied:
    """Adds *uids* to *target*, an own mailbox; with *stay*, they are still among the deleted messages.

    Raises Refused(TRYCREATE, NOPERM, OVERQUOTA).
    """
    if not target.is_own or target.is_past:
        raise Refused(Code.NOPERM, texts.BACK_TO_OWN)
    try:
        done = await view.account.retention.restore(uids, target.name, stay=stay)
    except Refused as refusal:
        raise no_such_target() if refusal.code is Code.NONEXISTENT else refusal from refusal
    if not stay:
        # the view learns of it as of any change
        view.watch.fire()
    for restored in done.mailboxes.values():
        return Copied(restored.uidvalidity, restored.numbers, restored.uids, done.modseq)
    return Copied(UidValidity(0), NumberSet(), NumberSet(), ModSeq(0))
