"""Secrets of the shape that is kept for a user, but soon hashed: nothing in a test is worth guarding."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher

from mektup.auth import passwords, scram_keys
from mektup.auth.preparation import opaque_string

_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def quick_secrets(password: str) -> dict[str, str]:
    """As ``passwords.secrets_for``, each password with one salt."""
    prepared = opaque_string(password.encode())
    assert prepared is not None
    return {
        passwords.PASSWORD: "{ARGON2ID}" + _hasher.hash(prepared),
        scram_keys.MECHANISM: scram_keys.make(prepared),
    }
