"""What an account asks of the code that opens its past (``pasts``), which itself makes accounts."""

from __future__ import annotations

from typing import Protocol

from mektup.store.interface import Account


class PastOpener(Protocol):
    """See ``interface.Account`` for the first two methods."""

    def deleted_mail(self) -> Account: ...

    async def at(self, moment: int) -> Account: ...

    async def close(self) -> None:
        """Closes what is open of the past."""
