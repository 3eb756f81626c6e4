"""Names from elsewhere become names that a mailbox of an account can have, and different ones stay different."""

from __future__ import annotations

import pytest

from mektup.migration.names import usable
from mektup.terms.limits import DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("name", "usable_as"),
    [
        ("Work/2024", "Work/2024"),
        ("inbox", "INBOX"),
        ("Other Users", "Other Users (imported)"),
        ("Other Users/fred/Work", "Other Users (imported)/fred/Work"),
        ("Undelete", "Undelete (imported)"),
        ("Undelete/2024-01-01/Work", "Undelete (imported)/2024-01-01/Work"),
        ("Undeleted/Work", "Undeleted/Work"),
        ("tab\there", "tab_here"),
        ("a//b", "a/_/b"),
    ],
)
def test_names(name: str, usable_as: str) -> None:
    assert usable(name.split("/"), DEFAULT_LIMITS) == usable_as
