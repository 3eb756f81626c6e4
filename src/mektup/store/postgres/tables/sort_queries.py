"""The columns of contents for SORT and THREAD."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from mektup.store.sorting.sort_keys import KEY_LETTERS, TEXT_FIELDS, Key, ThreadKey
from mektup.terms.sorting import SortKey

_NEEDED: Final[dict[Key, tuple[str, ...]]] = {
    SortKey.DATE: ("sent",),
    ThreadKey.IS_REPLY: ("is_reply",),
    ThreadKey.MESSAGE_IDS: ("message_id", "reference_ids"),
    **{key: (field,) for key, field in TEXT_FIELDS.items()},
}
"""The columns for each key; other keys need none."""

_TEXTS: Final = frozenset(TEXT_FIELDS.values())


def needed(keys: Collection[Key]) -> Sequence[str]:
    """The columns of ``contents`` for *keys*."""
    return tuple(dict.fromkeys(name for key in keys for name in _NEEDED.get(key, ())))


def read(columns: Sequence[str]) -> str:
    """The statement that reads *columns* of some contents of an account, after their numbers."""
    chosen = ", ".join(f"left({name}, {KEY_LETTERS})" if name in _TEXTS else name for name in columns)
    return f"SELECT id, {chosen} FROM contents WHERE account = %s AND id = ANY (%b)"
