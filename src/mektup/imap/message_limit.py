"""MESSAGELIMIT and SAVELIMIT (RFC 9738): an operator may limit how many messages one command does.

A command that can be done in part does the messages with the highest UIDs, and tells the lowest UID that it did, so the
client asks for the rest. What is done whole or not at all is refused. EXPUNGE and CLOSE are never limited (§3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import answers, texts
from mektup.imap.answers import Answer
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import narrowed
from mektup.terms.sets import NumberSet, Uids
from mektup.wire import codes

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


def processed(session: Conversation, asked: Uids) -> Uids:
    """Those of *asked* that one command does: all, or the highest ones up to the limit."""
    most = session.services.limits.message_limit
    if not most or len(asked) <= most:
        return asked
    return asked.at(NumberSet.span(len(asked) - most + 1, len(asked)))


def told(session: Conversation, asked: Uids, done: Uids, answer: Answer | None = None) -> Answer | None:
    """*answer*, or one that has MESSAGELIMIT if a command has *done* only some of the messages that it was *asked* for.

    An answer has one code; MESSAGELIMIT is then an untagged NO before it (RFC 9738 §3.1). None stands for the usual OK.
    """
    if done is asked:
        return answer
    most = session.services.limits.message_limit
    code, text = codes.message_limit(most, done.first), texts.PARTLY_DONE.of(count=most)
    if answer is None or not answer.code:
        return Answer(code, text)
    session.write(answers.untagged_no(code, text, session.translation))
    return answer


def searched(session: Conversation, key: SearchKey) -> Uids:
    """The messages that a search for *key* looks at: those that are in all of its sets of numbers and UIDs.

    Without a limit all messages, because then nobody has to know.
    """
    uids = session.selected.uids
    return narrowed(key, uids)[1] if session.services.limits.message_limit else uids


def require_few(session: Conversation, count: int) -> None:
    """Raises Refused(MESSAGELIMIT) for a command that does all of *count* messages or none."""
    most = session.services.limits.message_limit
    if most and count > most:
        raise _too_many(most)


def require_few_saved(session: Conversation, uids: Uids) -> None:
    """Raises Refused(MESSAGELIMIT) where a COPY of *uids* is too large; it names the lowest UID that would fit."""
    most = _saved_at_once(session.services.limits)
    if most and len(uids) > most:
        raise _too_many(most, uids.nth(len(uids) - most + 1))


def require_room(session: Conversation, messages: int) -> None:
    """Raises Refused(MESSAGELIMIT) where an APPEND that has *messages* already may not get one more."""
    most = _saved_at_once(session.services.limits)
    if most and messages >= most:
        raise _too_many(most)


def _saved_at_once(limits: Limits) -> int:
    return limits.message_limit or limits.save_limit


def _too_many(most: int, *lowest: int) -> Refused:
    return Refused(Code.MESSAGELIMIT, texts.TOO_MANY_AT_ONCE.of(count=most), numbers=(most, *lowest))
