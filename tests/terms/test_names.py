"""Which names are equal."""

from __future__ import annotations

import ast
import unicodedata
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.names import INBOX, account_key, fold_inbox, mailbox_key

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))
LOOKALIKES = [
    "ınbox",
    "İnbox",
    "ınBOX",
    "i\u0307nbox",
    "INBОX",
    "ＩＮＢＯＸ",
    "inbox ",
    " inbox",
    "inbo",
    "inboxx",
    "ɪnbox",
]


@pytest.mark.parametrize("name", ["".join(letters) for letters in product(*zip("INBOX", "inbox", strict=True))])
def test_inbox_is_one_name_in_any_case_of_its_letters(name: str) -> None:
    assert mailbox_key(name) == INBOX
    assert mailbox_key(f"{name}/Below") == "INBOX/Below"
    assert mailbox_key(f"a/{name}") == f"a/{name}"


@pytest.mark.parametrize("name", LOOKALIKES)
def test_names_that_only_look_like_inbox_are_other_names(name: str) -> None:
    assert mailbox_key(name) == unicodedata.normalize("NFC", name)
    assert mailbox_key(f"{name}/below") == unicodedata.normalize("NFC", f"{name}/below")


@given(st.text(max_size=7))
def test_no_other_text_is_inbox(name: str) -> None:
    assert (mailbox_key(name) == INBOX) is (name.isascii() and name.lower() == "inbox")


@given(st.text(st.sampled_from("iıIİnNbBoOxX/\u0307"), max_size=8))
def test_a_key_is_its_own_key(name: str) -> None:
    assert mailbox_key(mailbox_key(name)) == mailbox_key(name)
    assert fold_inbox(fold_inbox(name)) == fold_inbox(name)


@given(st.text(max_size=8))
def test_an_account_is_the_same_in_any_case_and_any_composition(name: str) -> None:
    key = account_key(name)
    assert account_key(unicodedata.normalize("NFD", name)) == key
    assert account_key(key) == key


def test_the_dotless_i_is_another_account() -> None:
    assert account_key("LINDA") == account_key("linda")
    assert account_key("lında") != account_key("linda")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_name_inbox_is_written_in_one_place(path: Path) -> None:
    if path.match("mektup/terms/names.py"):
        pytest.skip("the place")
    constants = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant)
    ]
    assert not [node.lineno for node in constants if isinstance(node.value, str) and node.value.upper() == INBOX]
