"""Names of accounts."""

from __future__ import annotations

import pytest

from mektup.store.rules.account_names import canonical, new_account_id, require_there
from mektup.terms.errors import Code, Refused


@pytest.mark.parametrize("name", ["", "a/b", "a\0", "a\n", "../x", "a\udc80"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(Refused) as caught:
        canonical(name)
    assert caught.value.code is Code.CANNOT


@pytest.mark.parametrize(("name", "kept"), [("Linda", "Linda"), ("ze\N{COMBINING DIAERESIS}", "zë"), ("..", "..")])
def test_names_that_can_are_kept_in_nfc(name: str, kept: str) -> None:
    assert canonical(name) == kept


def test_an_account_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        require_there(None)
    assert caught.value.code is Code.NONEXISTENT


def test_ids_are_of_hexadecimal_digits_and_differ() -> None:
    made = {new_account_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)
