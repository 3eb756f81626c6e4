"""The grammar of quotas: what is written is read again, and a mistake is a ClientError."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.wire import commands
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import GetQuota, GetQuotaRoot, Request, SetQuota

ATOMS = st.text(st.sampled_from("ABCXYZ-0123"), min_size=1, max_size=12)
ROOTS = st.binary(max_size=40).filter(lambda octets: not set(octets) & set(b'\0\r\n"\\{'))
NUMBERS = st.integers(0, 2**63 - 1)


def parsed(line: bytes, *literals: bytes) -> Request:
    fragments = tuple(line.split(b"\0"))
    return commands.parse(RawCommand(fragments, literals), utf8=False, limits=DEFAULT_LIMITS)


@given(ROOTS)
def test_a_root_is_any_string(root: bytes) -> None:
    assert parsed(b'a GETQUOTA "%b"' % root) == GetQuota(b"a", root)
    assert parsed(b"a GETQUOTA \0", root) == GetQuota(b"a", root)


@given(ROOTS, st.dictionaries(ATOMS, NUMBERS, max_size=5))
def test_limits_are_read_in_their_order(root: bytes, limits: dict[str, int]) -> None:
    written = " ".join(f"{name} {most}" for name, most in limits.items()).encode()
    assert parsed(b'a setquota "%b" (%b)' % (root, written)) == SetQuota(b"a", root, tuple(limits.items()))


def test_a_mailbox_in_modified_utf7() -> None:
    assert parsed(b"a GETQUOTAROOT Entw&APw-rfe") == GetQuotaRoot(b"a", "Entwürfe")


@given(st.sampled_from([b"GETQUOTA", b"GETQUOTAROOT", b"SETQUOTA"]), st.binary(max_size=60))
def test_any_octets_are_a_request_or_a_mistake(word: bytes, rest: bytes) -> None:
    with suppress(ClientError):
        assert parsed(b"a %b %b" % (word, rest.replace(b"\0", b""))).tag == b"a"


@pytest.mark.parametrize("limits", [b"(A 1 A 2)", b"(a 1 A 1)", b"(A)", b"(1 A)", b"()x", b"(A 9223372036854775808)"])
def test_limits_that_are_none(limits: bytes) -> None:
    with pytest.raises(ClientError):
        parsed(b"a SETQUOTA x " + limits)
