"""What PostgreSQL can hold of the values that others choose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from mektup.terms.numbers import AccountId
from mektup.terms.quota import OwnLimits, Resource

_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}")


def is_storable(text: str) -> bool:
    """Whether a text column can have *text*: it has no NUL and no lone surrogate. If not, nothing there equals it."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def storable_ids(accounts: Iterable[AccountId]) -> list[AccountId]:
    """Those of *accounts* that can be the ID of an account, in one order, in which all statements lock them."""
    return sorted({account for account in accounts if _ACCOUNT_ID.fullmatch(account)})


def account_id(found: UUID) -> AccountId:
    """The ID of an account that the database has told."""
    return AccountId(found.hex)


def limits_of(kept: Mapping[str, int | None]) -> OwnLimits:
    """An account's own limits, from the column that has them."""
    return {resource: kept[resource.value] for resource in Resource if resource.value in kept}
