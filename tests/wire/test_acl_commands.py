"""The grammar of SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError
from mektup.terms.rights import ALL, OBSOLETE, RightsChange, permitted, spelled
from mektup.wire.requests import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from mektup.wire.strings import astring
from tests.wire.parsing import complaint, parsed

TAG = b"a1"


def test_the_commands() -> None:
    assert parsed("a1 SETACL x fred lr") == SetAcl(TAG, "x", "fred", RightsChange("", frozenset("lr")))
    assert parsed('a1 setacl x "-fred" "+d"') == SetAcl(TAG, "x", "-fred", RightsChange("+", frozenset("te")))
    assert parsed('a1 SETACL x anyone ""') == SetAcl(TAG, "x", "anyone", RightsChange("", frozenset()))
    assert parsed("a1 SETACL x fred -") == SetAcl(TAG, "x", "fred", RightsChange("-", frozenset()))
    assert parsed("a1 DELETEACL INBOX fred") == DeleteAcl(TAG, "INBOX", "fred")
    assert parsed("a1 GETACL inbox") == GetAcl(TAG, "INBOX")
    assert parsed("a1 LISTRIGHTS x fred") == ListRights(TAG, "x", "fred")
    assert parsed("a1 MYRIGHTS x") == MyRights(TAG, "x")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a1 SETACL", "Expected a space and a mailbox name at column 10"),
        ("a1 SETACL x", "Expected a space and an identifier: the name of a user, or anyone at column 12"),
        ("a1 SETACL x y", "Expected a space and rights such as lrs, +lrs or -lrs at column 14"),
        ("a1 SETACL x y lrQ", "Uppercase rights are not allowed at column 15"),
        ("a1 SETACL x y lrq", "The q right is not supported at column 15"),
        ("a1 SETACL x y l+r", "The + right is not supported at column 15"),
        ("a1 SETACL x y +-r", "The - right is not supported at column 15"),
        ('a1 SETACL x y "l r"', "Expected rights such as lrs, +lrs or -lrs at column 15"),
        (b"a1 SETACL x y l\xff", "Expected rights such as lrs, +lrs or -lrs at column 15"),
        ('a1 SETACL x y "+\x7f"', "Expected rights such as lrs, +lrs or -lrs at column 15"),
        ('a1 SETACL x "" lr', "An identifier must not be empty at column 13"),
        ("a1 LISTRIGHTS x -", "An identifier must not be empty at column 17"),
        ("a1 DELETEACL x y z", "Expected the end of the command at column 18"),
    ],
)
def test_mistakes(line: str | bytes, text: str) -> None:
    assert complaint(line) == text


rights = st.frozensets(st.sampled_from(sorted(ALL)))


@given(rights)
def test_rights_are_read_as_they_are_spelled(rights: frozenset[str]) -> None:
    """The obsolete letters stand for more than one right, so a list with them may only grow when it is sent back."""
    letters = spelled(rights).decode()
    assert len(set(letters)) == len(letters)
    assert {letter for letter in letters if letter in ALL} == rights
    for letter, members in OBSOLETE.items():
        assert (letter in letters) == bool(rights & members)
    sent = "".join(letter for letter in letters if letter in ALL)
    assert parsed(f'a1 SETACL x y "{sent}"') == SetAcl(TAG, "x", "y", RightsChange("", rights))


@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1))
def test_any_identifier_can_be_read(identifier: str) -> None:
    octets = astring(identifier.encode())
    if octets.startswith(b"{") or b"{}" in octets:
        return  # which would stand for a literal
    if not identifier.removeprefix("-"):
        with pytest.raises(ClientError):
            parsed(f"a1 DELETEACL x {octets.decode()}")
    else:
        assert parsed(f"a1 DELETEACL x {octets.decode()}") == DeleteAcl(TAG, "x", identifier)


@given(rights, rights)
def test_changes_of_rights(before: frozenset[str], named: frozenset[str]) -> None:
    assert RightsChange("", named).applied(before) == named
    assert RightsChange("+", named).applied(before) == before | named
    assert RightsChange("-", named).applied(before) == before - named


def test_the_right_of_a_flag() -> None:
    flags = ("\\Seen", "\\DELETED", "\\Flagged", "work")
    assert permitted(flags, frozenset("s")) == ["\\Seen"]
    assert permitted(flags, frozenset("lrt")) == ["\\DELETED"]
    assert permitted(flags, frozenset("w")) == ["\\Flagged", "work"]
    assert permitted(flags, ALL) == list(flags)
