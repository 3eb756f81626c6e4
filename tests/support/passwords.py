"""Secrets in the form that the directory stores, but with a quick hash."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher

from mektup.auth import passwords, scram_keys
from mektup.auth.preparation import opaque_string

_hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def quick_secrets(password: str) -> dict[str, str]:
    """Like ``passwords.secrets_for``, with the same salt for a password each time."""
    prepared = opaque_string(password.encode())
    assert prepared is not None
    return {
        passwords.PASSWORD: "{ARGON2ID}" + _hasher.hash(prepared),
        scram_keys.MECHANISM: scram_keys.make(prepared),
    }
