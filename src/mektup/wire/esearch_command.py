"""The grammar of ESEARCH (RFC 7377 §4)."""

from __future__ import annotations

import re
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.mailbox_sources import MailboxSource, SourceKind
from mektup.wire import texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.mailbox_sources import ESEARCH_KINDS, mailbox_source
from mektup.wire.message_commands import asks_for_relevancy, charset_option, return_options
from mektup.wire.requests import Esearch
from mektup.wire.search_keys import search_key

_IN: Final = re.compile(rb"IN(?= )", re.IGNORECASE)
_SELECTED: Final = (MailboxSource(SourceKind.SELECTED),)
_ALL: Final = frozenset({"ALL"})


def esearch(cursor: CommandCursor, tag: bytes) -> Esearch:
    """esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program."""
    cursor.expect_space(texts.SEARCH_KEYS)
    sources = _sources(cursor)
    column = cursor.column
    returned = return_options(cursor, texts.SEARCH_KEYS)
    options = returned.names
    if options is not None and "SAVE" in options and set(sources) != set(_SELECTED):
        # RFC 7377 §2.2: $ belongs to the selected mailbox
        raise ClientError(texts.SAVE_OF_SELECTED, column)
    charset = charset_option(cursor)
    # RFC 7377 §2.1: no result option means ALL
    key = search_key(cursor, charset, with_relevancy=asks_for_relevancy(options))
    return Esearch(tag, sources, key, options or _ALL, charset, returned.page, returned.update_items)


def _sources(cursor: CommandCursor) -> tuple[MailboxSource, ...]:
    """esearch-source-opts = "IN" SP "(" source-mbox ")", and the space after it; no scope-options are defined."""
    if not cursor.take(_IN):
        # RFC 7377 §2.2: without source options, only the selected mailbox is searched
        return _SELECTED
    cursor.skip_spaces()
    most = cursor.limits.mailboxes_named
    count = 0

    def source(cursor: CommandCursor) -> MailboxSource:
        nonlocal count
        found = mailbox_source(cursor, ESEARCH_KINDS)
        count += len(found.names) or 1
        if count > most:
            raise cursor.wrong(texts.MOST_ITEMS.of(most=most, what=texts.MAILBOXES))
        return found

    sources = cursor.parenthesized(source, texts.SOURCES)
    if not sources:
        raise ClientError(texts.EXPECTED.of(expected=texts.SOURCES), cursor.column - 1)
    cursor.expect_space(texts.SEARCH_KEYS)
    return tuple(sources)
