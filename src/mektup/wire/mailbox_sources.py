"""The grammar of mailbox specifiers (RFC 5465 §8 filter-mailboxes, RFC 7377 §4), for NOTIFY and ESEARCH."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.mailbox_sources import NAMED, MailboxSource, SourceKind
from mektup.wire import texts
from mektup.wire.arguments import mailbox
from mektup.wire.cursor import CommandCursor

NOTIFY_KINDS: Final = frozenset(SourceKind) - {SourceKind.SUBTREE_ONE}
"""The specifiers of NOTIFY (RFC 5465 §6)."""

ESEARCH_KINDS: Final = frozenset(SourceKind) - {SourceKind.SELECTED_DELAYED}
"""The specifiers of ESEARCH (RFC 7377 §2.2)."""

_KINDS: Final = {kind.value.encode("ascii"): kind for kind in SourceKind}


def mailbox_source(cursor: CommandCursor, kinds: Collection[SourceKind]) -> MailboxSource:
    """filter-mailboxes, one of *kinds*. Raises ClientError."""
    start = cursor.at
    word = cursor.take_atom()
    kind = None if word is None else _KINDS.get(word)
    if kind is None or kind not in kinds:
        cursor.at = start
        raise cursor.wrong(texts.A_SOURCE.of(kinds=", ".join(sorted(each.value for each in kinds))))
    if kind not in NAMED:
        return MailboxSource(kind)
    cursor.expect_space(texts.A_MAILBOX_OR_SEVERAL)
    return MailboxSource(kind, tuple(dict.fromkeys(_one_or_more(cursor))))


def _one_or_more(cursor: CommandCursor) -> list[str]:
    """one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" (RFC 5465 §8)."""
    if not cursor.comes(b"("):
        return [mailbox(cursor, texts.A_MAILBOX_OR_SEVERAL)]
    names = cursor.parenthesized(mailbox, texts.MAILBOXES)
    if not names:
        raise ClientError(texts.EXPECTED.of(expected=texts.A_MAILBOX), cursor.column - 1)
    return names
