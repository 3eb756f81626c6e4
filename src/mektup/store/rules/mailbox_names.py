"""Mailbox names: which are valid, their hierarchy, and the rules of CREATE, DELETE and RENAME.

An engine looks up the arguments of these rules and carries out their results. All mailbox names here are canonical
(``terms.names.mailbox_key``). RFC 9051 §5.1, §6.3.4 to §6.3.6.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

from mektup.store import texts
from mektup.store.interface import Mailbox
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.names import DELIMITER, INBOX, OTHER_USERS, PAST, is_own, is_past
from mektup.terms.texts import NO_SUCH_MAILBOX

T = TypeVar("T")


def no_such_mailbox() -> Refused:
    """The refusal for a mailbox that does not exist."""
    return Refused(Code.NONEXISTENT, NO_SUCH_MAILBOX)


def require_mailbox(found: T | None) -> T:
    """Returns *found*, a mailbox. Raises Refused(NONEXISTENT) for None."""
    if found is None:
        raise no_such_mailbox()
    return found


def no_such_target() -> Refused:
    """The refusal of a COPY or MOVE to a mailbox that does not exist (RFC 9051 §6.4.7: with TRYCREATE)."""
    return Refused(Code.TRYCREATE, texts.NO_TARGET)


def new_mailboxid() -> str:
    """A MAILBOXID that no other mailbox has (RFC 8474 §4)."""
    return f"F{secrets.token_hex(10)}"


def check_name(name: str, limits: Limits) -> None:
    """Raises Refused(CANNOT) for an invalid *name*."""
    levels = name.split(DELIMITER)
    try:
        octets = len(name.encode())
    except UnicodeEncodeError:
        raise Refused(Code.CANNOT, texts.NAME_NOT_UNICODE) from None
    if not all(levels):
        raise Refused(Code.CANNOT, texts.NAME_WITH_EMPTY_LEVEL)
    # RFC 9051 §5.1: no control characters, nor the line and paragraph separators
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        raise Refused(Code.CANNOT, texts.NAME_WITH_CONTROL)
    if octets > limits.mailbox_name_bytes or len(levels) > limits.mailbox_depth:
        raise Refused(Code.CANNOT, texts.NAME_TOO_LONG)


def require_own(name: str) -> None:
    """Raises Refused(CANNOT) for a *name* of another namespace, which no mailbox of an account can have."""
    if is_past(name):
        raise Refused(Code.CANNOT, texts.NAME_OF_THE_PAST.of(first=PAST))
    if not is_own(name):
        raise Refused(Code.CANNOT, texts.NAME_OF_OTHERS.of(first=OTHER_USERS))


def inferiors(name: str) -> tuple[str, str]:
    """The bounds, upper one excluded, of the sorted names of all inferiors of *name*."""
    return name + DELIMITER, name + chr(ord(DELIMITER) + 1)


def superiors(name: str) -> list[str]:
    """The levels above *name*, the topmost first.

    RFC 9051 §6.3.4: a server SHOULD create the superior names that CREATE needs; §6.3.6 says the same for RENAME.
    """
    levels = name.split(DELIMITER)
    return [DELIMITER.join(levels[:depth]) for depth in range(1, len(levels))]


def listed_order(name: str) -> tuple[bool, str]:
    """A sort key for names: INBOX and its inferiors first, then by name, parents before children."""
    # no name has a control character, so the inferiors of a name come right after it
    levels = name.replace(DELIMITER, "\0")
    return levels.partition("\0")[0] != INBOX, levels


def require_creatable(there: Mailbox | None, special_use: str | None, *, use_is_taken: bool) -> None:
    """Checks a CREATE; *there* is the mailbox that already has the name, if any.

    Raises Refused(ALREADYEXISTS; USEATTR where another mailbox has the *special_use*, RFC 6154 §3).
    """
    if there is not None and there.selectable:
        raise Refused(Code.ALREADYEXISTS, texts.MAILBOX_EXISTS)
    if use_is_taken:
        raise Refused(Code.USEATTR, texts.SPECIAL_USE_TAKEN.of(special_use=special_use))


def require_few_mailboxes(count: int, limits: Limits) -> None:
    """Raises Refused(LIMIT) where *count* mailboxes are too many for an account."""
    if count > limits.mailboxes:
        raise Refused(Code.LIMIT, texts.TOO_MANY_MAILBOXES.of(mailboxes=limits.mailboxes))


def require_few_subscriptions(count: int, limits: Limits) -> None:
    """Raises Refused(LIMIT) where *count* subscriptions are too many for an account."""
    if count > limits.mailboxes:
        raise Refused(Code.LIMIT, texts.TOO_MANY_SUBSCRIPTIONS.of(subscriptions=limits.mailboxes))


def require_deletable(doomed: Mailbox, *, has_inferiors: bool) -> None:
    """Checks a DELETE; with inferiors, the name stays but is not selectable (RFC 9051 §6.3.5).

    Raises Refused(CANNOT for INBOX; HASCHILDREN for a name that exists only because of its inferiors).
    """
    if doomed.name == INBOX:
        raise Refused(Code.CANNOT, texts.INBOX_STAYS)
    if has_inferiors and not doomed.selectable:
        raise Refused(Code.HASCHILDREN, texts.HAS_CHILDREN)


def require_renamable(old: str, new: str, *, is_taken: bool) -> None:
    """Checks a RENAME, between valid names, of a mailbox other than INBOX. Raises Refused(CANNOT, ALREADYEXISTS)."""
    if is_taken:
        raise Refused(Code.ALREADYEXISTS, texts.MAILBOX_EXISTS)
    if new.startswith(old + DELIMITER):
        raise Refused(Code.CANNOT, texts.MOVES_BELOW_ITSELF)


def renamed(old: str, new: str, names: Iterable[str], limits: Limits) -> list[str]:
    """The new names of *names*, which are *old* and its inferiors, after RENAME. Raises Refused(CANNOT)."""
    targets = [new + name[len(old) :] for name in names]
    for target in targets:
        check_name(target, limits)
    return targets
