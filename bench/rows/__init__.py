"""What is measured: one function for each row of the table, in modules by theme."""

from bench.rows import (  # noqa: F401
    arriving,
    backing_up,
    fetching,
    flagging,
    importing,
    memory,
    searching,
    sessions,
    split_literals,
    waking,
)
from bench.rows.registry import ROWS as _ROWS

ORDER = (
    "connect noop select status flags envelope structure thunderbird body partial store store-all unseen subject rare "
    "common search-apart sort thread copy append append-apart list qresync qresync-all lmtp import backup memory "
    "memory-tls exists exists-other"
).split()

ROWS = sorted(_ROWS, key=lambda row: ORDER.index(row.key))
"""In the order of the table."""
