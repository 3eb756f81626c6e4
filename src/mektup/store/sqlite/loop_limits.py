"""The limits for queries and changes that run in the event loop; larger ones run in a thread."""

from __future__ import annotations

from mektup.terms.limits import MIB

FEW_ROWS = 250
"""The most messages that a change in the loop may touch."""

FEW_EXPUNGED = 25
"""The most messages that an expunge in the loop may remove; it also frees their contents."""

FEW_RENAMED = 100
"""The most inferior mailboxes that a rename in the loop may rename."""

FEW_ON_A_FULL_DISK = 250
"""The most messages that are removed at a time with only the reserve left: they take some 400 KiB of WAL."""

FEW_CHANGED = 500
"""The most changed messages that a query in the loop may return."""

FEW_SCANNED = 20_000
"""The most messages that a query in the loop may scan, row by row."""

FEW_TESTED = 100_000
"""The most comparisons of a search in the loop."""

FEW_SORTED = 500
"""The most messages that may be sorted or threaded in the loop."""

FEW_SORTED_BYTES = 32 * MIB
"""The most octets of a mailbox that may be sorted or threaded in the loop, as messages may be all header."""

FEW_LISTED = 1000
"""The most mailboxes that may be read in the loop."""

FEW_SETS = 16
"""The most sets of keywords that are loaded in the loop."""

FEW_BYTES = 128 * 1024
"""The most octets that an append in the loop may write."""

ROW_BYTES = 2048
"""The cost of appending a message, in addition to its size, in octets."""

FEW_CHUNKS = 2
"""The most chunks of a message that are read in the loop: its header and the start of its body."""
