"""The texts of a message as another comparator than the default one compares them (RFC 5255 §4.6).

What is stored is folded by the default comparator. So these texts are made of the message's octets again. A search
looks only into messages whose stored text has the ``certain_part``; a sort remembers what it has made.
"""

from __future__ import annotations

from collections.abc import Sequence

from mektup.message.addresses import Address
from mektup.message.comparing import COMPARISONS
from mektup.message.envelope import read_envelope
from mektup.message.headers import decode_words, field_text
from mektup.message.scan import scan
from mektup.message.subject import base_subject
from mektup.message.text import fold_header, header_values
from mektup.store.sorting.sort_keys import KEY_LETTERS
from mektup.terms.comparators import Comparator
from mektup.terms.limits import Limits
from mektup.terms.sorting import SortKey


def field_has(header: bytes, name: str, text: str, comparator: Comparator, limits: Limits) -> bool:
    """Whether a field *name* of *header* has *text*."""
    fold = COMPARISONS[comparator].fold
    sought = fold_header(text, fold)
    return any(sought in value for value in header_values(header, name, limits, fold))


def texts_have(texts: tuple[str, str], text: str, comparator: Comparator, *, in_headers: bool) -> bool:
    """Whether the body has *text*; with *in_headers*, whether the headers or the body have it.

    *texts* are those of ``search_text`` by the comparator.
    """
    fold = COMPARISONS[comparator].fold
    headers, body = texts
    return fold(text) in body or (in_headers and fold_header(text, fold) in headers)


def sort_text(header: bytes, key: SortKey, comparator: Comparator, limits: Limits) -> str:
    """The text of *key*, one of COMPARED, in the form for order (RFC 5256 §3)."""
    fields = scan(header, limits)[0].fields
    envelope = read_envelope(fields, limits.addresses)
    match key:
        case SortKey.SUBJECT:
            # RFC 5255 §4.2: the base subject is extracted before the comparator is applied
            text = base_subject(field_text(envelope.subject))[0] if envelope.subject is not None else ""
        case SortKey.FROM:
            text = _mailbox(envelope.from_)
        case SortKey.TO:
            text = _mailbox(envelope.to)
        case _:
            text = _mailbox(envelope.cc)
    comparison = COMPARISONS[comparator]
    return comparison.order(comparison.fold(text))[:KEY_LETTERS]


def _mailbox(addresses: Sequence[Address]) -> str:
    return decode_words(addresses[0].mailbox or b"") if addresses else ""
