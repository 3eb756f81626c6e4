"""Decodes octets to text, by the charset names that mail uses."""

from __future__ import annotations

import codecs
import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message import charsets
from mektup.message.charsets import codec_of, decode, guess


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        (b"utf-8", "ş".encode(), "ş"),
        (b"UTF8", "ş".encode(), "ş"),
        (b"us-ascii", "ş".encode(), "ş"),  # says ASCII, is UTF-8
        (b"utf-8", b"\xfe", "þ"),  # says UTF-8, is not
        (b"utf-8", b"caf\xe9", "café"),  # says UTF-8, is not, and ends with the first octet of a UTF-8 character
        (b"", b"gen\xe7", "genç"),
        (b"x-foo", b"caf\xe9", "café"),
        # one bad octet affects only itself
        (b"utf-8", "ağ".encode() + b"\xff" + "ış".encode(), "ağÿış"),
        (b"", b"\xe2\x82 " + "ş€".encode(), "â\x82 ş€"),
        (b"iso-2022-jp", b"\xff" + "日本".encode("iso-2022-jp"), "\N{REPLACEMENT CHARACTER}日本"),
        (b"gb18030", "汉 ".encode("gb18030") + b"\xff" + "字".encode("gb18030"), "汉 \N{REPLACEMENT CHARACTER}字"),
        (b"euc-kr", "한 ".encode("euc-kr") + b"\xff" + "국".encode("euc-kr"), "한 \N{REPLACEMENT CHARACTER}국"),
        (b"iso-8859-9", b"\xfe", "ş"),
        (b"ISO_8859-9", b"\xfe", "ş"),
        (b"windows-1254", b"\xfe", "ş"),
        (b"cp1254", b"\xfe", "ş"),
        (b"koi8-r", "да".encode("koi8-r"), "да"),
        (b"gb2312", "龍".encode("gbk"), "龍"),  # not in GB 2312
        (b"iso-2022-jp", "日本".encode("iso-2022-jp"), "日本"),
        (b"ks_c_5601-1987", "한".encode("cp949"), "한"),
        (b"iso-8859-8-i", b"\xe0", "א"),
        (b"utf-16le", "a".encode("utf-16le"), "a"),
        (b" 'utf-8' ", "ş".encode(), "ş"),
        (b"unknown-8bit", "ş".encode(), "ş"),
        (b"unknown-8bit", b"\xff", "ÿ"),
        (b"", b"\xff", "ÿ"),
        (b"shift_jis", b"a\x81", "a\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_decoding(charset: bytes, octets: bytes, text: str) -> None:
    assert decode(octets, charset) == text


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_half_a_character_at_a_cut_is_dropped(cut: int) -> None:
    octets = ("ş" + "😀").encode()[:-cut]
    assert decode(octets, b"utf-8", is_cut=True) == guess(octets, is_cut=True) == "ş"
    assert decode(octets, b"utf-8") == guess(octets) == "ş" + octets[2:].decode("latin-1")
    assert guess("ş😀".encode(), is_cut=True) == "ş😀"


@given(st.text(), st.text())
def test_utf_8_around_a_bad_octet_is_decoded(before: str, after: str) -> None:
    assert guess(before.encode() + b"\xff" + after.encode()) == f"{before}ÿ{after}"


@pytest.mark.parametrize(
    "name",
    [b"idna", b"punycode", b"unicode_escape", b"zlib", b"hex", b"rot13", b"undefined", b"x" * 1000, b"../aliases"],
)
def test_codecs_that_are_no_charsets_are_unknown(name: bytes) -> None:
    assert codec_of(name) is None


def test_every_codec_of_the_table_exists_and_decodes() -> None:
    for codec in set(charsets._CODECS.values()):
        assert isinstance(codecs.lookup(codec).decode(b"", "replace")[0], str)


def test_unknown_names_are_not_remembered() -> None:
    known = len(encodings._cache)
    for number in range(50):
        decode(b"a", b"no-such-charset-%d" % number)
    assert len(encodings._cache) == known


@given(st.binary(max_size=50), st.sampled_from(sorted(charsets._CODECS)))
def test_any_octets_are_decoded(octets: bytes, charset: str) -> None:
    decode(octets, charset.encode()).encode()  # raises for lone surrogates
    guess(octets).encode()


def test_a_lone_surrogate_is_replaced() -> None:
    assert decode(b"a+2D3eAA- b+2D0- c+3gA-", b"utf-7") == "a😀 b\N{REPLACEMENT CHARACTER} c\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 131_072, 200_000])
@pytest.mark.parametrize("behind", [b"", b"x", "ß".encode(), "\N{GRINNING FACE}".encode(), b"\xe2\x82", b"\xc3"])
def test_a_long_run_of_invalid_utf_8_is_decoded_in_pieces(length: int, behind: bytes) -> None:
    for bad in (b"\xff", b"\xc3", b"\xe2"):
        few = guess(b"a" + bad * 5 + behind)
        one = bad.decode("latin-1")
        assert guess(b"a" + bad * length + behind) == few.replace(one * 5, one * length)


PIECES = st.sampled_from(
    [
        b"a",
        b"0",
        b"+",
        b"-",
        b"+2AA-",
        b"~{",
        b"~}",
        b"!!",
        b"\x00",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\x00\x00\xfe\xff",
        b"\xd8\x3d\xde\x00",
        b"\x3d\xd8\x00\xde",
        b"A\x00\x00\x00",
        b"\x0e",
        b"\x1b$B",
        b"\x81",
        b"\x8e",
        b"\xa4\xa2",
        b"\xff",
    ]
)


@pytest.mark.parametrize(
    "codec",
    [
        *("big5hkscs", "cp1252", "euc_jp", "gb18030", "hz", "iso2022_jp_ext", "utf_7"),
        *("utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"),
    ],
)
@given(pieces=st.lists(PIECES, max_size=20), at_once=st.integers(1, 7))
def test_decoding_in_pieces_gives_the_same_text(codec: str, pieces: list[bytes], at_once: int) -> None:
    octets = b"".join(pieces)
    whole = decode(octets, codec.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charsets, "_DECODED_AT_ONCE", at_once)
        assert decode(octets, codec.encode()) == whole
