"""What many accounts hold: from the directory, and from the files that have changed since it was kept there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules.quota import in_force
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.store.sqlite.file.inspection import CannotLookError
from mektup.store.sqlite.tables import account_figures
from mektup.store.sqlite.tables.account_figures import Held
from mektup.store.threads import Threads
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId

AT_A_TIME = 200
"""How many files a thread looks at in one go."""


async def usages(
    names: Database,
    threads: Threads,
    path_of: Callable[[AccountId], Path],
    accounts: Sequence[AccountId],
    default: DefaultQuota,
) -> Mapping[AccountId, QuotaState]:
    """See ``interface.Store.usages``. *names* is the directory."""
    found: dict[AccountId, QuotaState] = {}
    for start in range(0, len(accounts), AT_A_TIME):
        some = accounts[start : start + AT_A_TIME]
        kept = await names.read_long(account_figures.kept, some)
        held, fresh = await threads.read(partial(_read, path_of, some, kept), _go_on)
        if fresh:
            # where nothing can be written, the files are read again the next time
            with suppress(Refused):
                await names.write(partial(account_figures.keep, read=fresh), durable=False)
        for account, each in held.items():
            found[account] = QuotaState(each.usage, in_force(each.own, default.limits), each.own)
    return found


def _go_on() -> None:
    """Lets a thread finish its files, of which there are few."""


def _read(
    path_of: Callable[[AccountId], Path], accounts: Sequence[AccountId], kept: Mapping[AccountId, Held]
) -> tuple[dict[AccountId, Held], dict[AccountId, Held]]:
    """What each account holds, without those that cannot be read; and what was read anew."""
    held, fresh = {}, {}
    for account in accounts:
        path = path_of(account)
        # a file that is gone or damaged has no figures; whoever opens it hears why
        with suppress(OSError, CannotLookError, *ENGINE_ERRORS):
            before = kept.get(account)
            if before is None or before.mark != account_figures.mark_of(path):
                before = fresh[account] = account_figures.read(path)
            held[account] = before
    return held, fresh
