"""HIGHESTMODSEQ: the modseq up to which a client was told everything (RFC 7162 §3.1, §3.2, §6).

A client keeps one modseq for its mailbox, and resynchronises from it after its connection was lost. The client computes
it: the highest MODSEQ that it was shown, or the last HIGHESTMODSEQ, which takes precedence. But a client may be shown
the modseq of a message while an older expunge, or an older change of another message, is not told yet. If it
resynchronised from that modseq, it would never hear of the older change. So the View computes the same modseq as the
client (*client_modseq*). If that is ahead of what the client was told, or behind it with QRESYNC, the tagged answer
carries the right HIGHESTMODSEQ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from mektup.imap import texts
from mektup.imap.answers import Answer, untagged_ok
from mektup.terms.numbers import ModSeq
from mektup.terms.texts import Text
from mektup.wire import codes

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View


def use(session: Conversation) -> None:
    """Records that the client knows modseqs: its command had a parameter of CONDSTORE (RFC 7162 §3.1)."""
    if not session.client.condstore:
        session.enable(replace(session.client, condstore=True))


def begin(session: Conversation, view: View) -> None:
    """Tells HIGHESTMODSEQ to a client that has just enabled CONDSTORE, *view* being open (RFC 7162 §3.1)."""
    view.client_modseq = view.told_modseq
    session.write(untagged_ok(codes.highest_modseq(view.client_modseq), texts.LATEST_CHANGE, session.translation))


def tell_due(session: Conversation) -> None:
    """Writes an untagged HIGHESTMODSEQ if one is due."""
    modseq = _take_due(session)
    if modseq is not None:
        session.write(untagged_ok(codes.highest_modseq(modseq), texts.LATEST_CHANGE, session.translation))


def in_answer(session: Conversation, answer: Answer | None, usual: Text) -> Answer | None:
    """*answer* with HIGHESTMODSEQ if one is due. None stands for an answer without a code and with the *usual* text."""
    if answer is not None and answer.code:
        # an answer can have one response code only
        tell_due(session)
        return answer
    modseq = _take_due(session)
    if modseq is None:
        return answer
    return Answer(codes.highest_modseq(modseq), usual if answer is None else answer.text)


def _take_due(session: Conversation) -> ModSeq | None:
    view = session.view
    if not session.client.condstore or view is None or view.client_modseq == view.told_modseq:
        return None
    if view.client_modseq < view.told_modseq and not session.client.qresync:
        return None
    view.client_modseq = view.told_modseq
    return view.client_modseq
