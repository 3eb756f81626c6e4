"""The commands about messages; items of FETCH and keys of SEARCH have their own tests."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.partial_range import PartialRange
from mektup.terms.search import All, HasFlag, InSubject
from mektup.terms.sets import STAR, SavedResult, SequenceSet
from mektup.wire.fetch_items import Item
from mektup.wire.requests import CancelUpdate, Copy, Expunge, Fetch, Move, Request, Search, Store, UidBatches
from tests.wire.parsing import complaint, parsed

TAG = b"a1"
ADD, REMOVE, REPLACE = FlagChange.ADD, FlagChange.REMOVE, FlagChange.REPLACE


def numbers(*ranges: tuple[int, int]) -> SequenceSet:
    return SequenceSet(ranges)


SEVEN = numbers((7, 7))
SAVED = SavedResult()


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("a1 EXPUNGE", Expunge(TAG, None)),
        ("a1 UID EXPUNGE 7", Expunge(TAG, SEVEN)),
        ("a1 uid  expunge $", Expunge(TAG, SAVED)),
        ("a1 UIDBATCHES 500", UidBatches(TAG, 500)),
        ("a1 uidbatches 4294967295 ", UidBatches(TAG, 4294967295)),
        ("a1 UIDBATCHES 1 1:1", UidBatches(TAG, 1, (1, 1))),
        ("a1 UIDBATCHES 2000 11:20", UidBatches(TAG, 2000, (11, 20))),
        ("a1 COPY 7 x", Copy(TAG, False, SEVEN, "x")),
        ('a1 UID COPY 1:5,7 "a b"', Copy(TAG, True, numbers((1, 5), (7, 7)), "a b")),
        ("a1 MOVE $ inbox", Move(TAG, False, SAVED, "INBOX")),
        ("a1 UID MOVE 7:* x", Move(TAG, True, numbers((7, STAR)), "x")),
        ("a1 FETCH 7 FLAGS", Fetch(TAG, False, SEVEN, (Item.FLAGS,))),
        ("a1 UID FETCH 7 (UID FLAGS)", Fetch(TAG, True, SEVEN, (Item.UID, Item.FLAGS))),
        ("a1 FETCH 7 (FLAGS) (CHANGEDSINCE 12345)", Fetch(TAG, False, SEVEN, (Item.FLAGS,), 12345)),
        ("a1 FETCH 7 FLAGS (changedsince 0)", Fetch(TAG, False, SEVEN, (Item.FLAGS,), 0)),
        ("a1 UID FETCH 7 FLAGS (CHANGEDSINCE 1 VANISHED)", Fetch(TAG, True, SEVEN, (Item.FLAGS,), 1, True)),
        ("a1 UID FETCH 7 FLAGS (vanished CHANGEDSINCE 1)", Fetch(TAG, True, SEVEN, (Item.FLAGS,), 1, True)),
        ("a1 UID FETCH 7 FLAGS (changedsince 0)", Fetch(TAG, True, SEVEN, (Item.FLAGS,), 0)),
        ("a1 UID FETCH 7 FLAGS (PARTIAL 1:3)", Fetch(TAG, True, SEVEN, (Item.FLAGS,), page=PartialRange(1, 3))),
        (
            "a1 UID FETCH 7 FLAGS (partial -1:-30 CHANGEDSINCE 4)",
            Fetch(TAG, True, SEVEN, (Item.FLAGS,), 4, page=PartialRange(-1, -30)),
        ),
        (
            "a1 UID FETCH 7 FLAGS (VANISHED CHANGEDSINCE 4 PARTIAL 2:1)",
            Fetch(TAG, True, SEVEN, (Item.FLAGS,), 4, True, PartialRange(2, 1)),
        ),
        ("a1 FETCH 7 FLAGS ()", Fetch(TAG, False, SEVEN, (Item.FLAGS,))),
        ("a1 FETCH 7 FLAGS ", Fetch(TAG, False, SEVEN, (Item.FLAGS,))),
        ("a1 STORE 7 FLAGS (\\Seen)", Store(TAG, False, SEVEN, REPLACE, False, ("\\Seen",))),
        ("a1 STORE 7 +FLAGS.SILENT (\\seen $Junk)", Store(TAG, False, SEVEN, ADD, True, ("\\seen", "$Junk"))),
        ("a1 uid store 7 -flags.silent \\Seen X", Store(TAG, True, SEVEN, REMOVE, True, ("\\Seen", "X"))),
        ("a1 STORE 7 FLAGS ()", Store(TAG, False, SEVEN, REPLACE, False, ())),
        ("a1 STORE 7 FLAGS ( \\Seen  a )", Store(TAG, False, SEVEN, REPLACE, False, ("\\Seen", "a"))),
        ("a1 STORE 7 +FLAGS x ", Store(TAG, False, SEVEN, ADD, False, ("x",))),
        (
            "a1 STORE 7 (UNCHANGEDSINCE 9223372036854775807) +FLAGS (x)",
            Store(TAG, False, SEVEN, ADD, False, ("x",), 9223372036854775807),
        ),
        ("a1 UID STORE 7 (unchangedsince 0) FLAGS x", Store(TAG, True, SEVEN, REPLACE, False, ("x",), 0)),
        ("a1 STORE 7 FLAGS ($a $B $A b $a)", Store(TAG, False, SEVEN, REPLACE, False, ("$a", "$B", "b"))),
        ("a1 STORE 7 FLAGS \\seen $a \\SEEN $A", Store(TAG, False, SEVEN, REPLACE, False, ("\\seen", "$a"))),
        ("a1 SEARCH ALL", Search(TAG, False, All(), None)),
        ("a1 UID SEARCH RETURN () SEEN", Search(TAG, True, HasFlag("\\Seen"), frozenset({"ALL"}))),
        ("a1 SEARCH return (min MAX) ALL", Search(TAG, False, All(), frozenset({"MIN", "MAX"}))),
        ("a1 SEARCH RETURN (ALL COUNT SAVE) ALL", Search(TAG, False, All(), frozenset({"ALL", "COUNT", "SAVE"}))),
        (
            "a1 SEARCH RETURN (partial 500:400 COUNT) ALL",
            Search(TAG, False, All(), frozenset({"PARTIAL", "COUNT"}), page=PartialRange(500, 400)),
        ),
        (
            "a1 UID SEARCH RETURN (update(UID FLAGS) CONTEXT) ALL",
            Search(TAG, True, All(), frozenset({"UPDATE", "CONTEXT"}), update_items=(Item.UID, Item.FLAGS)),
        ),
        ("a1 SEARCH RETURN (UPDATE) ALL", Search(TAG, False, All(), frozenset({"UPDATE"}))),
        ('a1 CANCELUPDATE "b1"', CancelUpdate(TAG, (b"b1",))),
        ('a1 cancelupdate b1 "b2" ', CancelUpdate(TAG, (b"b1", b"b2"))),
        ("a1 SEARCH CHARSET utf-8 SUBJECT x", Search(TAG, False, InSubject("x"), None, "UTF-8")),
        ('a1 SEARCH RETURN (MIN) CHARSET "UTF-8" ALL', Search(TAG, False, All(), frozenset({"MIN"}), "UTF-8")),
    ],
)
def test_requests(line: str, request_: Request) -> None:
    assert parsed(line) == request_


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("1", [(1, 1)]),
        ("*", [(STAR, STAR)]),
        ("1:*", [(1, STAR)]),
        ("*:4", [(STAR, 4)]),
        ("4:2", [(4, 2)]),
        ("*:*", [(STAR, STAR)]),
        ("4294967295", [(2**32 - 1, 2**32 - 1)]),
        ("1:4294967295", [(1, 2**32 - 1)]),
        ("2,4:7,9,12:*", [(2, 2), (4, 7), (9, 9), (12, STAR)]),
        ("5,3,3,1:9", [(5, 5), (3, 3), (3, 3), (1, 9)]),
    ],
)
def test_sequence_sets(text: str, ranges: list[tuple[int, int]]) -> None:
    for line in (f"a1 UID EXPUNGE {text}", f"a1 COPY {text} x"):
        request = parsed(line)
        assert isinstance(request, Expunge | Copy)
        assert (request.uids if isinstance(request, Expunge) else request.numbers) == SequenceSet(tuple(ranges))


ends = st.integers(1, 2**32 - 1)


@given(ends, ends, st.booleans())
def test_any_page_is_read_and_written_alike(one: int, other: int, from_end: bool) -> None:
    page = PartialRange(-one, -other) if from_end else PartialRange(one, other)
    for line in (
        f"a1 SEARCH RETURN (PARTIAL {bytes(page).decode()}) ALL",
        f"a1 UID FETCH 7 UID (PARTIAL {bytes(page).decode()})",
    ):
        request = parsed(line)
        assert isinstance(request, Search | Fetch)
        assert request.page == page


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expected a space and a range such as 1:100, or -1:-100 from the end at column 26"),
        (" 1:-2", "Expected a range such as 1:100, or -1:-100 from the end at column 27"),
        (" 0:2", "Expected a range such as 1:100, or -1:-100 from the end at column 27"),
        (" 1:2,5:6", "Expected a range such as 1:100, or -1:-100 from the end at column 27"),
        (" 1:4294967296", "Expected numbers from 1 to 4294967295 at column 27"),
        (" -4294967296:-1", "Expected numbers from 1 to 4294967295 at column 27"),
        (" 1:2 PARTIAL 1:2", "Expected either ALL or one PARTIAL at column 18"),
        (" 1:2 ALL", "Expected either ALL or one PARTIAL at column 18"),
    ],
)
def test_wrong_pages(text: str, told: str) -> None:
    assert complaint(f"a1 SEARCH RETURN (PARTIAL{text}) ALL") == told


SET = "a sequence set such as 7 or 1:5,9:*"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", f"Expected {SET} at column 16"),
        ("0", f"Expected {SET} at column 16"),
        ("01", f"Expected {SET} at column 16"),
        ("x", f"Expected {SET} at column 16"),
        (",1", f"Expected {SET} at column 16"),
        ("1,", f"Expected {SET} at column 16"),
        ("1,,2", f"Expected {SET} at column 16"),
        ("1:", "Expected the end of the command at column 17"),
        ("1-5", "Expected the end of the command at column 17"),
        ("1:0", "Expected the end of the command at column 17"),
        ("$,1", "Expected the end of the command at column 17"),
        ("1, 2", f"Expected {SET} at column 16"),
        ("4294967296", "Expected numbers from 1 to 4294967295 at column 16"),
        ("1:9999999999", "Expected numbers from 1 to 4294967295 at column 16"),
        ("12345678901", "Expected the end of the command at column 26"),
    ],
)
def test_wrong_sequence_sets(text: str, told: str) -> None:
    assert complaint(f"a1 UID EXPUNGE {text}") == told


def test_large_sequence_sets() -> None:
    text = ",".join(str(number) for number in range(1, 20_001))
    request = parsed(f"a1 UID EXPUNGE {text}")
    assert isinstance(request, Expunge)
    assert isinstance(request.uids, SequenceSet)
    assert len(request.uids.ranges) == 20_000
    told = "Expected a sequence set of at most 20000 ranges at column 16"
    assert complaint(f"a1 UID EXPUNGE {text},20001") == told


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("1," * 19_000, ""),
        ("1:2,*:4," * 9_000, "0"),
        ("1234567890:1234567890," * 10_000, "x"),
        ("11111111111," * 15_000, "1"),
        ("1:" * 100_000, "1"),
        ("*" * 200_000, ","),
    ],
)
def test_a_long_invalid_sequence_set_is_refused_in_one_pass(text: str, end: str) -> None:
    told = complaint(f"a1 UID EXPUNGE {text}{end}")
    assert told.startswith((f"Expected {SET}", "Expected the end of the command", "Expected numbers from 1 to"))


def test_the_ranges_of_an_invalid_sequence_set_are_limited_too() -> None:
    told = complaint("a1 UID EXPUNGE " + "1," * 20_000)
    assert told == "Expected a sequence set of at most 20000 ranges at column 16"


SET_PIECES = st.lists(st.sampled_from(["1", "9", "10", "0", "*", ":", ",", "4294967295"]), max_size=12).map("".join)


@settings(max_examples=500)
@given(st.integers(0, 2**32), st.none() | st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
def test_batches_follow_the_abnf(size: int, wanted: tuple[int, int] | None) -> None:
    """RFC 10022: nz-numbers, and the first batch is not above the last."""
    line = f"a1 UIDBATCHES {size}" + ("" if wanted is None else f" {wanted[0]}:{wanted[1]}")
    if any(not 0 < number < 2**32 for number in (size, *(wanted or ()))) or (wanted and wanted[0] > wanted[1]):
        complaint(line)
    else:
        assert parsed(line) == UidBatches(TAG, size, wanted)


@given(SET_PIECES)
def test_sequence_sets_follow_the_abnf(text: str) -> None:
    number = re.compile(r"[1-9][0-9]*|\*")
    ends = [part.split(":") for part in text.split(",")]
    fits = all(len(part) < 3 and all(number.fullmatch(each) for each in part) for part in ends)
    numbers = [int(each) for part in ends for each in part if each.isdecimal()]
    if not fits or max(numbers, default=0) > 2**32 - 1:
        complaint(f"a1 UID EXPUNGE {text}")
        return
    request = parsed(f"a1 UID EXPUNGE {text}")
    assert isinstance(request, Expunge)
    said = [[0 if each == "*" else int(each) for each in part] for part in ends]
    assert request.uids == SequenceSet(tuple((part[0], part[-1]) for part in said))


SYSTEM_FLAG = "one of the system flags \\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft; a keyword has no backslash"
FLAG = "a flag such as \\Seen or a keyword such as $Forwarded"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a1 EXPUNGE 1", "Expected the end of the command at column 12"),
        ("a1 UID EXPUNGE", "Expected a space and a set of UIDs such as 1:5 at column 15"),
        ("a1 COPY", "Expected a space and a sequence set such as 1:5 at column 8"),
        ("a1 COPY 1", "Expected a space and a mailbox name at column 10"),
        ("a1 COPY 1 x y", "Expected the end of the command (put a mailbox name with spaces in quotes) at column 13"),
        ("a1 FETCH 1", "Expected a space and items such as (UID FLAGS) at column 11"),
        ("a1 FETCH x FLAGS", f"Expected {SET} at column 10"),
        ("a1 FETCH 1 FLAGS UID", "Expected the end of the command (put several items in parentheses) at column 18"),
        ("a1 FETCH 1 FLAGS (CHANGEDSINCE)", "Expected a space and a modseq at column 31"),
        ("a1 FETCH 1 FLAGS (VANISHED)", "Expected CHANGEDSINCE and a modseq at column 19"),
        ("a1 FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "Expected CHANGEDSINCE and a modseq at column 34"),
        ("a1 UID FETCH 1 FLAGS (VANISHED)", "VANISHED needs CHANGEDSINCE and a modseq beside it at column 22"),
        (
            "a1 UID FETCH 1 FLAGS (X)",
            "Expected CHANGEDSINCE and a modseq, VANISHED, or PARTIAL and a range at column 23",
        ),
        ("a1 FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", "Expected each modifier once at column 34"),
        (
            "a1 FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
            "Expected a modseq: a number up to 9223372036854775807 at column 32",
        ),
        (
            "a1 FETCH 1 FLAGS (CHANGEDSINCE " + "9" * 5000,
            "Expected a modseq: a number up to 9223372036854775807 at column 32",
        ),
        ("a1 STORE 1", "Expected a space and FLAGS, +FLAGS or -FLAGS and flags such as (\\Seen) at column 11"),
        ("a1 STORE 1 \\Seen", "Expected FLAGS, +FLAGS or -FLAGS and flags such as (\\Seen) at column 12"),
        ("a1 STORE 1 FLAGS.LOUD (x)", "Expected FLAGS, +FLAGS or -FLAGS and flags such as (\\Seen) at column 12"),
        ("a1 STORE 1 FLAGS", "Expected a space and flags such as (\\Seen) at column 17"),
        ("a1 STORE 1 FLAGS (\\)", f"Expected {FLAG} at column 19"),
        ("a1 STORE 1 FLAGS (\\*)", f"Expected {FLAG} at column 19"),
        ("a1 STORE 1 FLAGS (\\Seen\\Deleted)", "Expected a space or ) at column 24"),
        ("a1 STORE 1 FLAGS (a \\Recent)", "\\Recent cannot be changed at column 21"),
        ("a1 STORE 1 FLAGS (\\Recently)", f"Expected {SYSTEM_FLAG} at column 19"),
        ("a1 STORE 1 FLAGS (\\Seen \\$Junk)", f"Expected {SYSTEM_FLAG} at column 25"),
        ("a1 STORE 1 FLAGS $a \\Forwarded", f"Expected {SYSTEM_FLAG} at column 21"),
        ("a1 STORE 1 FLAGS (\\SeenX)", f"Expected {SYSTEM_FLAG} at column 19"),
        ("a1 STORE 1 FLAGS \\RECENT", "\\Recent cannot be changed at column 18"),
        ('a1 STORE 1 FLAGS ("a")', f"Expected {FLAG} at column 19"),
        ("a1 STORE 1 FLAGS (é)", f"Expected {FLAG} at column 19"),
        ("a1 STORE 1 FLAGS (a", "Expected a space or ) at column 20"),
        ("a1 STORE 1 FLAGS (a) b", "Expected the end of the command at column 22"),
        ("a1 STORE 1 FLAGS (" + "a" * 101 + ")", "Expected a keyword of at most 100 octets at column 19"),
        ("a1 STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS a", "Expected each modifier once at column 30"),
        ("a1 STORE 1 (CHANGEDSINCE 1) FLAGS a", "Expected UNCHANGEDSINCE and a modseq at column 13"),
        ("a1 SEARCH", "Expected a space and search keys such as ALL or UNSEEN at column 10"),
        ("a1 SEARCH RETURN (MIN)", "Expected a space and search keys such as ALL or UNSEEN at column 23"),
        (
            "a1 SEARCH RETURN (BEST) ALL",
            "Expected MIN, MAX, ALL, COUNT, SAVE, PARTIAL, RELEVANCY, CONTEXT or UPDATE at column 19",
        ),
        (
            "a1 SEARCH RETURN ALL",
            "Expected ( and MIN, MAX, ALL, COUNT, SAVE, PARTIAL, RELEVANCY, CONTEXT or UPDATE at column 18",
        ),
    ],
)
def test_errors(line: str, text: str) -> None:
    assert complaint(line) == text


def test_many_flags() -> None:
    flags = tuple(f"keyword-{number}" for number in range(100))
    request = parsed(f"a1 STORE 1 FLAGS ({' '.join(flags)})")
    assert isinstance(request, Store)
    assert request.flags == flags
    limits = Limits(keyword_bytes=9)
    assert complaint("a1 STORE 1 FLAGS (short keyword-10)", limits=limits).endswith("at most 9 octets at column 25")
