"""All accounts and aliases, read in pages: there may be a million of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mektup.store.addresses import Addresses, Alias
from mektup.store.interface import AccountEntry, Directory

PAGE = 500
"""How many accounts or aliases are read at a time."""


async def all_entries(directory: Directory) -> AsyncGenerator[AccountEntry, None]:
    """All accounts, by name. One that is added meanwhile may be missing."""
    page = await directory.entries("", PAGE)
    while page:
        for entry in page:
            yield entry
        page = await directory.entries(page[-1].name, PAGE)


async def all_aliases(addresses: Addresses) -> AsyncGenerator[Alias, None]:
    """All aliases, by address. One that is added meanwhile may be missing."""
    page = await addresses.aliases("", PAGE)
    while page:
        for alias in page:
            yield alias
        page = await addresses.aliases(page[-1].address, PAGE)
