"""Fields, folding, encoded words, and the fields that HEADER.FIELDS selects."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mektup.message.headers import (
    FieldChooser,
    all_fields,
    decode_words,
    field_values,
    header_text,
    index_fields,
    select_fields,
    selector,
    unfold,
)

HEADER = (
    b"Received: from a by b;\r\n"
    b"\tMon, 24 Nov 2025 10:00:00 +0000\r\n"
    b"Subject: dinner\r\n"
    b"no colon here\r\n"
    b"X Y: a space in the name\r\n"
    b"To : ann@example.org\r\n"
    b"SUBJECT:again\r\n"
    b"\r\n"
)


def test_fields_are_found_by_lower_case_name_in_their_order() -> None:
    fields = index_fields(HEADER)
    assert fields == {
        b"received": [b" from a by b;\r\n\tMon, 24 Nov 2025 10:00:00 +0000\r"],
        b"subject": [b" dinner\r", b"again\r"],
        b"to": [b" ann@example.org\r"],
    }


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"", set()),
        (b"\r\n", set()),
        (b"A: b", {b"a"}),  # ends without a line break
        (b" B: a continuation first\r\nA: b\r\n", {b"a"}),
        (b"From ann Mon Nov 24 10:00:00 2025\r\nA: b\r\n", {b"a"}),  # a From_ line of mbox
        (b":no name\r\nA: b\r\n", {b"a"}),
        (b"\xc3\xa9: 8-bit\r\nA: b\r\n", {b"\xc3\xa9", b"a"}),
    ],
)
def test_lines_that_are_no_field_are_skipped(header: bytes, names: set[bytes]) -> None:
    assert set(index_fields(header)) == names


def test_a_nul_becomes_a_replacement_character() -> None:
    assert index_fields(b"Subject: a\0b\r\n") == {b"subject": [b" a\xef\xbf\xbdb\r"]}


def test_a_field_is_cut_at_the_limit() -> None:
    assert index_fields(b"A: 0123456789\r\nB: 0123456789\r\n", 5) == {b"a": [b" 0123"], b"b": [b" 0123"]}


@pytest.mark.parametrize(
    ("folded", "value"),
    [
        (b" a b \r", b"a b"),
        (b" a\r\n b\r", b"a b"),
        (b" a\r\n\tb", b"a\tb"),
        (b"\r\n <id@example.org>\r", b"<id@example.org>"),
        (b"a\rb\n c", b"ab c"),
        (b" \t ", b""),
    ],
)
def test_unfolding_removes_only_line_breaks(folded: bytes, value: bytes) -> None:
    assert unfold(folded) == value


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?Ay=C5=9Fe?= Demir", "Ayşe Demir"),
        (b"=?UTF-8?B?xLBzdGFuYnVs?=", "İstanbul"),
        (b"=?iso-8859-9?Q?=DDstanbul?=", "İstanbul"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),  # RFC 2047 §8
        (b"=?utf-8?q?a?=  b", "a  b"),
        (b"=?utf-8?q?a_b?=", "a b"),
        (b"=?utf-8?b?w?= =?utf-8?b?w6k=?=", "é"),  # the first contains less than an octet
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),  # a character split in two
        (b"=?utf-8?q?=C3=A9?= =?iso-8859-1?q?=E9?=", "éé"),
        (b"=?utf-8*tr?q?=C5=9F?=", "ş"),  # RFC 2231 §5
        (b'"=?utf-8?q?=C5=9F?="', '"ş"'),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?no-such-charset?q?=C5=9F?=", "ş"),
        (b"=?no-such-charset?q?=FF?=", "ÿ"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q?a", "=?utf-8?q?a"),
        (b"=?utf-8?Q?what? a=b?=", "what? a=b"),  # RFC 2047 §4.2 has them encoded
        (b"=?utf-8?Q?what??= =?utf-8?B?w6k=?=", "what?é"),
        (b"=?utf-8?q?a=?= b", "a b"),
        (b"=?iso-2022-jp?b?GyRCRnw=?= =?ISO-2022-JP?B?S1wbKEI=?=", "日本"),
        (b"=?utf-8?q?=C5?= =?UTF-8?b?nw==?=", "ş"),
        (b"=?utf-8?q?a=FF=C5=9F?=", "aÿş"),
        (b"=?=?utf-8?q?a?=", "=?a"),
        ("ş".encode(), "ş"),
        ("ş".encode("iso-8859-9"), "þ"),  # the charset is not named
        ("ş ".encode() + b"=?utf-8?q?a?=", "ş a"),
    ],
)
def test_encoded_words_are_decoded_as_far_as_possible(octets: bytes, text: str) -> None:
    assert decode_words(octets) == text


def test_each_line_of_a_header_may_have_its_own_charset() -> None:
    header = b"A: " + "ş".encode() + b"\r\nB: \xff\r\n\tc\r\nC: =?utf-8?q?d?=\r\n\r\n"
    assert header_text(header).split() == ["A:", "ş", "B:", "ÿ", "c", "C:", "d"]


def test_values_of_one_field() -> None:
    assert field_values(HEADER, b"Subject") == [b" dinner\r", b"again\r"]
    assert field_values(HEADER, b"cc") == []
    assert field_values(b"a" * 200 + b": b\r\n", b"A" * 200) == [b" b\r"]


@pytest.mark.parametrize(
    ("names", "selected"),
    [
        ({b"subject"}, b"Subject: dinner\r\nSUBJECT:again\r\n\r\n"),
        ({b"TO", b"Received"}, HEADER[:58] + b"To : ann@example.org\r\n\r\n"),
        ({b"cc"}, b"\r\n"),
        (set(), b"\r\n"),
        ({b"subj"}, b"\r\n"),
        ({b"s.bject"}, b"\r\n"),
    ],
)
def test_header_fields_are_unchanged_octets(names: set[bytes], selected: bytes) -> None:
    assert select_fields(HEADER, frozenset(names), False) == selected


def test_header_fields_not_is_all_the_rest() -> None:
    names = frozenset({b"Received", b"Subject", b"To"})
    assert select_fields(HEADER, names, True) == b"no colon here\r\nX Y: a space in the name\r\n\r\n"
    assert select_fields(HEADER, frozenset(), True) == HEADER


@pytest.mark.parametrize("header", [b"C: d\r\nA: b", b"C: d\r\nA: b\r\n", b"C: d\r\nA: b\r\n\r\n"])
def test_the_empty_line_is_kept_if_the_header_has_one(header: bytes) -> None:
    """RFC 9051 §6.4.5.1: "except in the case of a message that has no body and no blank line"."""
    empty_line = b"\r\n" if header.endswith(b"\r\n\r\n") else b""
    assert select_fields(header, frozenset({b"a"}), False) == header.removeprefix(b"C: d\r\n")
    assert select_fields(header, frozenset({b"c"}), False) == b"C: d\r\n" + empty_line
    assert select_fields(header, frozenset({b"a", b"c"}), True) == empty_line
    assert select_fields(header, frozenset({b"x"}), False) == empty_line
    assert select_fields(header, frozenset({b"x"}), True) == header


@pytest.mark.parametrize("header", [b"", b"\r\n"])
def test_a_header_without_fields_gives_only_its_empty_line(header: bytes) -> None:
    assert select_fields(header, frozenset({b"a"}), False) == header
    assert select_fields(header, frozenset({b"a"}), True) == header


NAMES = st.sampled_from([b"A", b"a", b"B", b"Subject", b"X-Long-Name"])
LINES = st.builds(
    lambda name, colon, value, more: name + colon + value + b"".join(b"\r\n" + line for line in more),
    NAMES,
    st.sampled_from([b":", b" :", b": ", b""]),
    st.sampled_from([b"", b"value", b"a: b"]),
    st.lists(st.sampled_from([b" more", b"\tA: b"]), max_size=2),
)


@given(st.lists(LINES, max_size=8), st.frozensets(NAMES, max_size=3), st.booleans())
def test_many_names_select_like_few(lines: list[bytes], names: frozenset[bytes], exclude: bool) -> None:
    """The code for many names gives the same result as the pattern for few, and both agree with the RFC."""
    header = b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    lowered = {name.lower() for name in names}
    chosen = [
        line for line in lines if (line.partition(b":")[0].rstrip().lower() in lowered and b":" in line) is not exclude
    ]
    expected = b"".join(line + b"\r\n" for line in chosen) + b"\r\n"
    assert select_fields(header, names, exclude) == expected
    assert selector(names | {b"Y" * 2000}, exclude)(header) == expected


OCTETS = st.lists(
    st.sampled_from([b"A:", b"b :", b"Subject: x", b":", b" ", b"\t", b"\r\n", b"\r\n", b"\r", b"x", b"\x0b", b"--"])
).map(b"".join)


@pytest.mark.parametrize(
    ("header", "others"),
    [
        (b"A: b\r\n\rC: d\r\n\r\n", b"\rC: d\r\n\r\n"),
        (b" begins folded\r\n\tand goes on\r\nA: b\r\n\r\n", b" begins folded\r\n\tand goes on\r\n\r\n"),
        (b": no name\r\nA: b\r\n\r\n", b": no name\r\n\r\n"),
        (b"A: b\r\nC: d\r", b"C: d\r"),
        (b"A: b\r\n\r", b"\r"),
    ],
)
def test_lines_that_are_no_field_are_in_header_fields_not(header: bytes, others: bytes) -> None:
    assert select_fields(header, frozenset({b"a"}), True) == others
    assert selector(frozenset({b"a", b"y" * 2000}), True)(header) == others


@given(OCTETS, st.booleans(), st.frozensets(st.sampled_from([b"A", b"B", b"Subject", b"Z" * 2000]), max_size=3))
def test_a_selection_and_its_opposite_are_the_whole_header(fields: bytes, ends: bool, names: frozenset[bytes]) -> None:
    """RFC 9051 §6.4.5.1: HEADER.FIELDS.NOT has exactly the fields that HEADER.FIELDS lacks; whole and in pieces."""
    header = re.sub(rb"(\r\n)+", rb"\r\n", fields).removeprefix(b"\r\n").removesuffix(b"\r\n")
    header += b"\r\n\r\n" if ends and header else b""
    chosen, others = select_fields(header, names, False), select_fields(header, names, True)
    empty_line = 2 if header.endswith(b"\r\n\r\n") or header == b"\r\n" else 0
    assert len(chosen) + len(others) == len(header) + empty_line
    assert sorted(chosen + others) == sorted(header + header[len(header) - empty_line :])
    for exclude, whole in ((False, chosen), (True, others)):
        for step in (1, 3, 8):
            chooser = FieldChooser(names, exclude)
            pieces = [chooser.take(header[at : at + step]) for at in range(0, len(header), step)]
            assert b"".join(pieces) + chooser.finish() == whole


LONG_LINES = (
    b"A: b\r\n",
    b"x" * 70_000 + b"\r\n",
    b"B: " + b"y" * 70_000 + b"\r\n",
    b" more\r\n",
    b"\tm\n",
    b"no field\r\n",
)
TIMES = st.sampled_from([1, 2, 7, 10_000, 15_000])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LONG_LINES) - 1), TIMES), max_size=6), st.integers(0, 5))
@example([(0, 10_000), (4, 10_000), (3, 10_000)], 0)  # a piece ends at the line break of a fold
def test_a_long_header_in_pieces_gives_the_same_fields(lines: list[tuple[int, int]], shift: int) -> None:
    repeated = (LONG_LINES[at] * max(1, times // (1 + len(LONG_LINES[at]) // 100)) for at, times in lines)
    header = b"C: d\r\n"[:shift] + b"".join(repeated)
    field = re.compile(rb"\n([^:\s]{1,998})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
    assert all_fields(header, 10**9) == field.findall(b"\n" + header)


def test_folds_of_a_long_header_become_spaces() -> None:
    folded = b"Subject: a" + b"\r\n \tb" * 50_000 + b"\r\nTo: c\r\n"
    assert header_text(folded) == "Subject: a" + " b" * 50_000 + "\nTo: c\n"


def test_the_number_of_fields_is_limited() -> None:
    header = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(10)) + b"\r\n"
    assert len(all_fields(header * 1000, 4)) == 4
