"""How much memory an answer takes, about, for the budget of ``memo``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from sys import getsizeof
from typing import Any, Final

from mektup.store.access_lists import SharedMailboxes
from mektup.store.interface import AccountEntry, Mailbox, Selection

VALUE_OCTETS: Final = 500
"""A value with a dozen numbers."""

NUMBER_OCTETS: Final = 32

_name = attrgetter("name")


def octets_of(answer: object) -> int:
    """The approximate memory of an answer to a small query, in octets. Texts count exactly, as clients choose them."""
    # a look-up by type, because this runs for each answer
    return _OCTETS_OF.get(type(answer), _of_a_number)(answer)


def _of_a_number(number: object) -> int:
    return NUMBER_OCTETS


def _of_several(answers: Collection[object]) -> int:
    if answers and type(next(iter(answers))) is Mailbox:
        # a LIST of many mailboxes comes here after each commit
        return getsizeof(answers) + VALUE_OCTETS * len(answers) + sum(map(getsizeof, map(_name, answers)))
    return getsizeof(answers) + sum(map(octets_of, answers))


def _of_mailbox(mailbox: Mailbox) -> int:
    return VALUE_OCTETS + getsizeof(mailbox.name)


def _of_selection(selection: Selection) -> int:
    # its UIDs are counted where they are remembered by themselves
    return 2 * VALUE_OCTETS + getsizeof(selection.mailbox.name) + sum(map(getsizeof, selection.keywords))


def _of_entry(entry: AccountEntry) -> int:
    return VALUE_OCTETS + getsizeof(entry.name) + sum(map(getsizeof, entry.secrets.values()))


def _of_shared(shared: SharedMailboxes) -> int:
    of_names = sum(map(getsizeof, shared.by_name))
    return VALUE_OCTETS * (1 + len(shared.by_id)) + 3 * getsizeof(shared.by_id) + of_names


def _of_mapping(answers: Mapping[str, object]) -> int:
    return getsizeof(answers) + _of_several(list(answers)) + _of_several(list(answers.values()))


_OCTETS_OF: Final[Mapping[type, Callable[[Any], int]]] = {
    str: getsizeof,
    tuple: _of_several,
    list: _of_several,
    frozenset: _of_several,
    dict: _of_mapping,
    Mailbox: _of_mailbox,
    SharedMailboxes: _of_shared,
    Selection: _of_selection,
    AccountEntry: _of_entry,
}
