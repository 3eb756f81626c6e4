"""Message IDs, plain and in obsolete forms (RFC 5322 §4.5.4), in a normal form (RFC 5256 §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.message_ids import first_message_id, message_ids


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (b"<a@b>", ["a@b"]),
        (b"<a@b> <c@d>\t<e@f>", ["a@b", "c@d", "e@f"]),
        (b"<a@b><c@d>,<e@f>", ["a@b", "c@d", "e@f"]),
        (b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
        (b'<"a\\"b"@c>', ['a"b@c']),
        (b'<"a b"@c> <d@e>', ["a%20b@c", "d@e"]),
        (b"Message of Monday <a@b> from Ann", ["a@b"]),
        (b"no id, <nor this>, <a@>, <@b>", []),
        (b"", []),
        (b"<\xff@b>", ["\N{REPLACEMENT CHARACTER}@b"]),
        # partly quoted
        (b'<1.2.JavaMail."cv@n.example"@v-01>', ["1.2.JavaMail.cv@n.example@v-01"]),
        (b'<a."b"@x>', ["a.b@x"]),
        (b'<"a"."b"@x> <"a.b"@x> <a.b@x>', ["a.b@x"] * 3),
        # comments, white space and folds
        (b"<1234   @   local(blah)  .machine .example>", ["1234@local.machine.example"]),
        (b"<a @ x>", ["a@x"]),
        (b"<a.\r\n\tb@\r\n x.example>", ["a.b@x.example"]),
        (b"<(x) a (y (z)) . b@[192.0.2.1] (w)>", ["a.b@[192.0.2.1]"]),
        (b"<a@b@c>", ["a@b@c"]),
        # without an end
        (b'<a"b <c@d>', ["c@d"]),
        (b"<a(b@x> <c(d@e>", ["a(b@x", "c(d@e"]),
        (b"<junk <a@b>", ["a@b"]),
        (b"<<a@b>>", ["a@b"]),
    ],
)
def test_message_ids(value: bytes, ids: list[str]) -> None:
    assert message_ids(value, 10) == ids


def test_the_last_ones_of_many_ids_count() -> None:
    assert message_ids(b"<a@b> <c@d> <e@f>", 2) == ["c@d", "e@f"]


def test_the_first_id_counts_if_only_one_is_expected() -> None:
    assert first_message_id(b"<no id> <a@b> <c@d>") == "a@b"
    assert first_message_id(b"no id") == ""


WORDS = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=6)
CFWS = st.sampled_from(["", " ", "\r\n ", "(x)", " (a (b)\\)) ", "\t"])


@given(st.lists(st.tuples(WORDS, st.booleans(), CFWS, CFWS), min_size=1, max_size=4), WORDS, CFWS)
def test_the_spelling_of_an_id_makes_no_difference(
    left: list[tuple[str, bool, str, str]], right: str, space: str
) -> None:
    words = [before + (f'"{word}"' if is_quoted else word) + behind for word, is_quoted, before, behind in left]
    written = f"<{'.'.join(words)}@{space}{right}{space}>"
    plain = f"{'.'.join(word for word, *_ in left)}@{right}"
    assert message_ids(written.encode(), 10) == message_ids(f"<{plain}>".encode(), 10) == [plain]


@given(st.lists(st.sampled_from([b"<", b">", b"@", b'"', b"\\", b"(", b")", b" ", b"a", b".", b"\xff"])).map(b"".join))
def test_any_octets_give_ids_without_white_space(value: bytes) -> None:
    for each in message_ids(value, 1000):
        assert each == "".join(each.split())
        assert "@" in each
