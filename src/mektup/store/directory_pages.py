"""All accounts of a directory, read in pages: there may be a million of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mektup.store.interface import AccountEntry, Directory

PAGE = 500
"""How many accounts are read at a time."""


async def all_entries(directory: Directory) -> AsyncGenerator[AccountEntry, None]:
    """All accounts, by name. One that is added meanwhile may be missing."""
    page = await directory.entries("", PAGE)
    while page:
        for entry in page:
            yield entry
        page = await directory.entries(page[-1].name, PAGE)
