"""The domains of a server, and aliases: more addresses of its accounts.

An alias is ``info@example.org``; ``postmaster``, which is meant in every domain of the server; or ``@example.org``, the
catch-all of a domain, for what no other name there takes. It leads to accounts, and never to another alias or to
another server, so there are no loops.

Where there are domains, the server takes mail for these only. Without any it takes mail for every domain. No address
leads to an account and to an alias: who adds the second of the two is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Alias:
    """An address, and the accounts that get its mail."""

    address: str
    """In the form of ``terms.names.address_key``."""
    accounts: tuple[str, ...]
    """Their names in order; at least one."""


class Addresses(Protocol):
    """Domains and aliases. Changes of other processes are visible at once.

    Domains and addresses may be given in any spelling; ``terms.names.address_key`` says which are equal.
    """

    async def domains(self) -> Collection[str]:
        """The keys of all domains; empty where mail for any domain is taken."""

    async def add_domain(self, domain: str) -> str:
        """Adds a domain, which may be there already; returns its key. Raises Refused(CANNOT, LIMIT)."""

    async def remove_domain(self, domain: str) -> None:
        """Removes a domain. Raises Refused(NONEXISTENT, and CANNOT where aliases have it)."""

    async def accounts_of(self, alias: str) -> Sequence[str]:
        """The names of the accounts of an alias, whose key is given, in order; empty where there is none."""

    async def add_alias(self, address: str, accounts: Collection[str]) -> Alias:
        """Adds *accounts*, by their names, to those of an alias, which may be new. Returns the whole alias.

        Raises Refused(CANNOT for an address that cannot be, or whose domain is not here; ALREADYEXISTS where it is an
        account's; NONEXISTENT for an unknown account; LIMIT for too many accounts). Nothing has changed then.
        """

    async def remove_alias(self, address: str, accounts: Collection[str] = ()) -> None:
        """Removes *accounts* from those of an alias, or all without any. An alias without accounts is gone.

        Raises Refused(NONEXISTENT) where there is no such alias, or it does not lead to one of *accounts*.
        """

    async def aliases(self, after: str, most: int) -> Sequence[Alias]:
        """The first *most* aliases after the address *after*, in the order of their keys; "" is before all."""
