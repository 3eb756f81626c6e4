"""How much a question or a change may be to be done in the event loop; what is more goes to a thread."""

from __future__ import annotations

from mektup.terms.limits import MIB

FEW_ROWS = 250
"""Of messages: what a change in the loop may touch at most."""

FEW_EXPUNGED = 25
"""The same for an expunge, which frees what each of them held."""

FEW_RENAMED = 100
"""Of mailboxes below one: what may be renamed with it in the loop at most."""

FEW_ON_A_FULL_DISK = 250
"""The same where the reserve is all the room there is: they take some 400 KiB of WAL."""

FEW_CHANGED = 500
"""Of messages: what one look at the changes in the loop may bring at most."""

FEW_SCANNED = 20_000
"""Of messages: what a question in the loop may pass over at most, row by row."""

FEW_TESTED = 100_000
"""What a search in the loop may compare at most."""

FEW_SORTED = 500
"""Of messages: what may be sorted or threaded in the loop at most."""

FEW_SORTED_BYTES = 32 * MIB
"""The same of a mailbox, as headers may be all that its messages are made of."""

FEW_LISTED = 1000
"""Of mailboxes: how many may be read in the loop at most."""

FEW_SETS = 16
"""Of keywords: what is learnt in the loop at most."""

FEW_BYTES = 128 * 1024
"""Of messages: what an append in the loop may write at most."""

ROW_BYTES = 2048
"""What a message costs to append beyond its bytes, as so many of them."""

FEW_CHUNKS = 2
"""Of a message: what may be read of it in the loop, its header and the start of its body."""

KNOWN_MAILBOXES = 64
"""How many mailboxes' UIDs are remembered between two questions."""
