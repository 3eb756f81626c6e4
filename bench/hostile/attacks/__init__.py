"""All attacks, in the order of the table.

To add one: write a function that takes a ``Stage``, does what the attacker does, and returns the result in a few words.
Add an ``Attack`` with it to the ROWS of a module here; a new module goes into ATTACKS below. Data that the attack needs
is made by its *prepare*; afterwards the server is restarted, so that memory counts from a fresh process. An attack
takes 20 seconds at most; then each wait of a ``HostileClient`` ends by itself. If the bounds of 50 ms and 64 MB do not
fit, the attack has its own, with a comment that says why. With ``stage.is_short`` it should take about two seconds,
*prepare* included.

A crowd (``is_crowd``) is an attack of very many connections, logins or commands; ``make floods`` runs all of them. Its
bound of 50 ms is for 99 of 100 NOOPs, and its bound of memory for the whole server.
"""

from __future__ import annotations

from bench.hostile.attack import Attack
from bench.hostile.attacks import (
    appending,
    before_login,
    delivering,
    fetching,
    finding,
    flags,
    listing,
    lmtp_crowds,
    log_writing,
    login_crowds,
    mails,
    one_account,
    searching,
    strangers,
    unread,
)

ATTACKS: tuple[Attack, ...] = (
    *fetching.ROWS,
    *unread.ROWS,
    *listing.ROWS,
    *searching.ROWS,
    *finding.ROWS,
    *flags.ROWS,
    *mails.ROWS,
    *appending.ROWS,
    *delivering.ROWS,
    *before_login.ROWS,
    *log_writing.ROWS,
    *strangers.ROWS,
    *login_crowds.ROWS,
    *lmtp_crowds.ROWS,
    *one_account.ROWS,
)
