"""The same password from two keyboards is equal, and invalid passwords are refused."""

import pytest

from mektup.auth.preparation import LONGEST_PASSWORD, opaque_string, saslprep


@pytest.mark.parametrize(
    ("octets", "prepared"),
    [
        (b"Pa$$123", "Pa$$123"),
        (b" spaces stay ", " spaces stay "),
        ("na\u0308ive".encode(), "n\u00e4ive"),
        ("non\u00a0breaking".encode(), "non breaking"),
        ("\u017fCASE".encode(), "\u017fCASE"),
        ("\U0001f511\U0001fae8".encode(), "\U0001f511\U0001fae8"),
    ],
)
def test_opaque_string(octets: bytes, prepared: str) -> None:
    assert opaque_string(octets) == prepared


@pytest.mark.parametrize("octets", [b"", b"a\0b", b"tab\there", b"latin-1 \xe4", b"\xed\xa0\x80", b"\x7f"])
def test_no_password(octets: bytes) -> None:
    assert opaque_string(octets) is None


def test_longest_password() -> None:
    assert opaque_string(b"x" * LONGEST_PASSWORD) is not None
    assert opaque_string(b"x" * (LONGEST_PASSWORD + 1)) is None


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # RFC 4013 §3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", None),
        ("\u0627\u0031", None),
        # RFC 3454 §6
        ("\u0627a\u0628", None),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
        ("", None),
        ("\u00ad", None),
        ("\U0001f511", None),
    ],
)
def test_saslprep(text: str, prepared: str | None) -> None:
    assert saslprep(text) == prepared
