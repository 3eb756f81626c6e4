"""All attacks, in the order of the table.

To add one: write a function that takes a ``Stage``, does what the attacker does and returns in a few words what it
got; add an ``Attack`` with it to the ROWS of a module here (a new module goes into ATTACKS below). What must be there
first is done by its *prepare*, behind which the server is started anew, so that memory counts from a fresh process.
An attack takes 20 seconds at most; a wait of a ``HostileClient`` ends by itself then. Where the bounds of 50 ms and
64 MB cannot be the right ones, it has its own, with a comment that says why. With ``stage.is_short`` it should be
done within some two seconds, its *prepare* included.
"""

from __future__ import annotations

from bench.hostile.attack import Attack
from bench.hostile.attacks import (
    appending,
    delivering,
    fetching,
    flags,
    listing,
    logged,
    mails,
    searching,
    strangers,
    unread,
)

ATTACKS: tuple[Attack, ...] = (
    *fetching.ROWS,
    *unread.ROWS,
    *listing.ROWS,
    *searching.ROWS,
    *flags.ROWS,
    *mails.ROWS,
    *appending.ROWS,
    *delivering.ROWS,
    *strangers.ROWS,
    *logged.ROWS,
)
