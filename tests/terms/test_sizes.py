"""Sizes as an operator writes and reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.sizes import octets_of, size_shown


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("1024", 1024),
        ("5 GiB", 5 * 2**30),
        ("5G", 5 * 2**30),
        ("5gb", 5 * 2**30),
        ("512 M", 512 * 2**20),
        ("10k", 10240),
        (" 2TiB ", 2 * 2**40),
    ],
)
def test_a_size(text: str, octets: int) -> None:
    assert octets_of(text) == octets


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "5 PiB", "5 G i B", "five", "1" * 19, "5iB"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        octets_of(text)


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (2**20 - 1, "1 MiB"), (5 * 2**30, "5 GiB")],
)
def test_a_size_is_shown(octets: int, shown: str) -> None:
    assert size_shown(octets) == shown


@given(st.integers(0, 2**10 - 1), st.sampled_from(["K", "M", "G", "T"]))
def test_what_is_shown_is_read_again(number: int, unit: str) -> None:
    octets = octets_of(f"{number}{unit}")
    assert octets_of(size_shown(octets)) == octets
