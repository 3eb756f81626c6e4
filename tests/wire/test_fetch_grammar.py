"""The items of FETCH, from text to values."""

import pytest

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_grammar import CACHED, CACHED_BYTES, _items, fetch_items
from mektup.wire.fetch_items import (
    ALL,
    FAST,
    FULL,
    Binary,
    BinarySize,
    BodySection,
    FetchItem,
    Item,
    Partial,
    Section,
    SectionText,
)
from tests.wire.parsing import complaint, parsed


def items(text: str | bytes, *literals: bytes) -> tuple[FetchItem, ...]:
    fragments = tuple((text.encode() if isinstance(text, str) else text).split(b"{}"))
    cursor = CommandCursor(fragments, literals, utf8=False, limits=DEFAULT_LIMITS)
    found = fetch_items(cursor)
    cursor.expect_end()
    return found


@pytest.mark.parametrize("item", Item)
def test_items_without_arguments(item: Item) -> None:
    assert items(item.value) == items(item.value.lower()) == items(f"({item.value})") == (item,)


def test_macros() -> None:
    assert (items("ALL"), items("fast"), items("Full")) == (ALL, FAST, FULL)


def test_each_item_once_and_in_order() -> None:
    assert items("(FLAGS UID FLAGS BODY[] body[] BODY.PEEK[])") == (
        Item.FLAGS,
        Item.UID,
        BodySection(Section(), False, label=b"BODY[]"),
        BodySection(Section(), True, label=b"BODY[]"),
    )


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("RFC822", BodySection(Section(), False, label=b"RFC822")),
        ("rfc822.header", BodySection(Section(text=SectionText.HEADER), True, label=b"RFC822.HEADER")),
        ("RFC822.TEXT", BodySection(Section(text=SectionText.TEXT), False, label=b"RFC822.TEXT")),
        ("BODY[]", BodySection(Section(), False, label=b"BODY[]")),
        ("body.peek[]", BodySection(Section(), True, label=b"BODY[]")),
        ("BODY[]<0.2048>", BodySection(Section(), False, Partial(0, 2048), b"BODY[]")),
        ("BODY[TEXT]", BodySection(Section(text=SectionText.TEXT), False, label=b"BODY[TEXT]")),
        ("BODY[header]", BodySection(Section(text=SectionText.HEADER), False, label=b"BODY[HEADER]")),
        ("BODY[1]", BodySection(Section((1,)), False, label=b"BODY[1]")),
        ("BODY.PEEK[1.2.3]", BodySection(Section((1, 2, 3)), True, label=b"BODY[1.2.3]")),
        ("BODY[1.mime]", BodySection(Section((1,), SectionText.MIME), False, label=b"BODY[1.MIME]")),
        ("BODY[2.1.HEADER]", BodySection(Section((2, 1), SectionText.HEADER), False, label=b"BODY[2.1.HEADER]")),
        (
            "BODY[4.TEXT]<7.9223372036854775>",
            BodySection(Section((4,), SectionText.TEXT), False, Partial(7, 9223372036854775), b"BODY[4.TEXT]"),
        ),
        (
            "BODY[HEADER.FIELDS (From)]",
            BodySection(
                Section(text=SectionText.HEADER_FIELDS, fields=(b"From",)), False, label=b"BODY[HEADER.FIELDS (From)]"
            ),
        ),
        (
            'body.peek[1.header.fields.not ("To" "X Y" CC )]<0.1>',
            BodySection(
                Section((1,), SectionText.HEADER_FIELDS_NOT, (b"To", b"X Y", b"CC")),
                True,
                Partial(0, 1),
                b'BODY[1.HEADER.FIELDS.NOT (To "X Y" CC)]',
            ),
        ),
        ("BINARY[]", Binary((), False, label=b"BINARY[]")),
        ("binary.peek[1.2]<0.5>", Binary((1, 2), True, Partial(0, 5), b"BINARY[1.2]")),
        ("BINARY.SIZE[1]", BinarySize((1,), b"BINARY.SIZE[1]")),
        ("BINARY.SIZE[]", BinarySize((), b"BINARY.SIZE[]")),
    ],
)
def test_sections(text: str, item: FetchItem) -> None:
    assert items(text) == items(f"({text})") == (item,)
    # The second time it comes from the cache, and is the same.
    assert items(text) == (item,)


def test_header_fields_in_literals() -> None:
    (item,) = items("BODY[HEADER.FIELDS ({} b)]", b"a(")
    assert item == BodySection(
        Section(text=SectionText.HEADER_FIELDS, fields=(b"a(", b"b")), False, label=b'BODY[HEADER.FIELDS ("a(" b)]'
    )


def test_the_fetch_of_a_real_client() -> None:
    """Thunderbird's FETCH for the list of messages."""
    fields = "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type"
    uid, size, flags, section = items(f"(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({fields})])")
    assert (uid, size, flags) == (Item.UID, Item.SIZE, Item.FLAGS)
    assert isinstance(section, BodySection)
    assert section.section.fields == tuple(fields.encode().split())


ITEMS = "an item such as FLAGS, or several such as (UID FLAGS BODY.PEEK[HEADER])"
END = "] at the end of a section such as BODY[], BODY[TEXT] or BODY[1.2]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", f"Expected {ITEMS} at column 12"),
        ("()", f"Expected {ITEMS} at column 12"),
        ("(", f"Expected {ITEMS} at column 13"),
        ("(FLAGS", "Expected a space or ) at column 18"),
        ("(FLAGS,UID)", "Expected a space or ) at column 18"),
        ("(FLAGS FOO)", f"Expected {ITEMS} at column 19"),
        ("(ALL)", f"Expected {ITEMS} at column 13"),
        ("FLAGS[]", f"Expected {ITEMS} at column 12"),
        ("RFC822.PEEK", f"Expected {ITEMS} at column 12"),
        ("ENVELOPE[1]", f"Expected {ITEMS} at column 12"),
        ("BODY[", f"Expected {END} at column 17"),
        ("BODY[1", f"Expected {END} at column 18"),
        ("BODY[0]", f"Expected {END} at column 17"),
        ("BODY[1.0]", "Expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME or a part number at column 19"),
        ("BODY[1.]", "Expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME or a part number at column 19"),
        ("BODY[MIME]", "Expected a part before MIME, such as BODY[1.MIME] at column 21"),
        ("BODY[TEXT.1]", f"Expected {END} at column 21"),
        ("BODY[1TEXT]", f"Expected {END} at column 18"),
        ("BODY[HEADER.FIELDS]", "Expected a space and names of header fields such as (FROM DATE) at column 30"),
        ("BODY[HEADER.FIELDS FROM]", "Expected ( and names of header fields at column 31"),
        ("BODY[HEADER.FIELDS ()]", "Expected the name of a header field at column 32"),
        ("BODY[HEADER.FIELDS (a]", "Expected a space or ) at column 34"),
        ("BODY[]<1>", "Expected a start and a count such as <0.2048> at column 18"),
        ("BODY[]<0.0>", "Expected a start and a count such as <0.2048> at column 18"),
        ("BODY[]<0.1", "Expected a start and a count such as <0.2048> at column 18"),
        ("BINARY", f"Expected {ITEMS} at column 12"),
        ("BINARY[1.MIME]", "Expected a part and ], such as BINARY[1.2] at column 20"),
        ("BINARY.SIZE[1]<0.1>", "Expected the end of the command at column 26"),
        ("BODY[" + ".".join(["1"] * 101) + "]", "Expected a part of at most 100 levels at column 218"),
        ("BODY[12345678901]", f"Expected {END} at column 27"),
    ],
)
def test_errors(text: str, told: str) -> None:
    assert complaint(f"a1 FETCH 1 {text}") == told


def test_cached_items_do_not_hide_the_text_after_them() -> None:
    parsed("a1 FETCH 1 (UID)")
    assert complaint("a1 FETCH 1 (UID) x") != ""
    assert complaint("a1 FETCH 1 (UID){}", b"x") == "Expected the end of the command at column 17"


def test_the_cache_is_bounded() -> None:
    for number in range(1, 2 * CACHED):
        (item,) = items(f"BODY[{number}]")
        assert item == BodySection(Section((number,)), False, label=b"BODY[%d]" % number)
    assert _items.cache_info().currsize == CACHED
    before = _items.cache_info().misses
    assert items("(" + "UID " * CACHED_BYTES + "UID)") == (Item.UID,)
    assert _items.cache_info().misses == before
