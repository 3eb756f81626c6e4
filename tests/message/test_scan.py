"""The MIME structure of messages, valid and broken."""

from __future__ import annotations

import gc
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message import scan as scan_module
from mektup.message.scan import Part, scan
from mektup.terms.limits import Limits


def message(text: str) -> bytes:
    """The lines of *text*, which each begin with a bar, as octets; joined by CRLF, without one at the end."""
    return "\r\n".join(line.partition("|")[2] for line in text.strip("\n").split("\n")).encode()


def outline(raw: bytes, limits: Limits | None = None) -> list[tuple[str, str, bytes]]:
    """Path, type and content of every numbered part; multiparts without their content."""
    return [
        (
            ".".join(map(str, part.path)),
            part.content_type.essence.decode(),
            b"" if part.is_multipart else raw[part.content_start : part.stop],
        )
        for part in sorted(scan(raw, limits or Limits()), key=lambda part: (part.path, not part.is_numbered))
        if part.is_numbered
    ]


@pytest.mark.parametrize(
    ("raw", "header_size", "body"),
    [
        (b"", 0, b""),
        (b"\r\n", 2, b""),
        (b"\r\nbody", 2, b"body"),
        (b"Subject: x", 10, b""),
        (b"Subject: x\r\n", 12, b""),
        (b"Subject: x\r\n\r\n", 14, b""),
        (b"Subject: x\r\n\r\nbody\r\n", 14, b"body\r\n"),
        (b"From ann Mon Nov 24\r\n\r\nbody", 23, b"body"),
        (b" folded\r\n\r\nbody", 11, b"body"),
        (b"\0\xff\r\n\r\n\0", 6, b"\0"),
        (b"--b\r\n\r\nx", 7, b"x"),
        (b"bare\n\nline feeds", 16, b""),
    ],
)
def test_a_message_without_mime_is_one_text_part(raw: bytes, header_size: int, body: bytes) -> None:
    (part,) = scan(raw)
    assert (part.header_start, part.content_start, part.stop) == (0, header_size, len(raw))
    assert outline(raw) == [("1", "text/plain", body)]


MULTIPART = """
  |Content-Type: multipart/mixed; boundary="b"
  |
  |preamble
  |--b
  |Content-Type: text/html
  |
  |one
  |
  |--b
  |
  |two
  |--b--
  |epilogue
  |--b
  |
  |no part
"""


def test_the_line_break_before_a_boundary_belongs_to_it() -> None:
    assert outline(message(MULTIPART)) == [("1", "text/html", b"one\r\n"), ("2", "text/plain", b"two")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            """
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b
            |
            |one
            |--b
            |
            |never ended
            """,
            [("1", "text/plain", b"one"), ("2", "text/plain", b"never ended\r\n")],
        ),
        (
            """
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b
            |Content-Type: text/html
            |--b
            |
            |--b
            |X: y
            |
            |--b--
            """,
            [("1", "text/html", b""), ("2", "text/plain", b""), ("3", "text/plain", b"")],
        ),
        (  # an inner boundary that extends the outer one
            """
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b
            |Content-Type: multipart/alternative; boundary=bb
            |
            |--bb
            |
            |one
            |--bb--
            |--b
            |
            |two
            |--b--
            """,
            [("1", "multipart/alternative", b""), ("1.1", "text/plain", b"one"), ("2", "text/plain", b"two")],
        ),
        (  # an outer boundary that extends the inner one
            """
            |Content-Type: multipart/mixed; boundary=bb
            |
            |--bb
            |Content-Type: multipart/alternative; boundary=b
            |
            |--b
            |
            |one
            |--bb
            |
            |two
            |--bb--
            """,
            [("1", "multipart/alternative", b""), ("1.1", "text/plain", b"one"), ("2", "text/plain", b"two")],
        ),
        (  # the same boundary twice: the innermost counts, until it has ended
            """
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b
            |Content-Type: multipart/alternative; boundary=b
            |
            |--b
            |
            |one
            |--b--
            |--b
            |
            |two
            |--b--
            """,
            [("1", "multipart/alternative", b""), ("1.1", "text/plain", b"one"), ("2", "text/plain", b"two")],
        ),
        (  # an outer boundary closes all parts inside
            """
            |Content-Type: multipart/mixed; boundary=a
            |
            |--a
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b
            |
            |one
            |--a
            |
            |two
            |--b
            |still two
            |--a--
            """,
            [
                ("1", "multipart/mixed", b""),
                ("1.1", "text/plain", b"one"),
                ("2", "text/plain", b"two\r\n--b\r\nstill two"),
            ],
        ),
        (  # a part begins only where a line ends
            """
            |Content-Type: multipart/mixed; boundary=b
            |
            |--b--
            """,
            [("1", "text/plain", b"")],
        ),
        ("|Content-Type: multipart/mixed; boundary=b", [("1", "text/plain", b"")]),
        # RFC 2045 §5.2: a multipart without a boundary is no valid type
        ("|Content-Type: multipart/mixed\n|\n|--b\n|\n|x", [("1", "text/plain", b"--b\r\n\r\nx")]),
        ('|Content-Type: multipart/mixed; boundary=""\n|\n|--\n|\n|x', [("1", "text/plain", b"--\r\n\r\nx")]),
        ("|Content-Type: multipart/mixed; boundary=b\n|\n|--b", [("1", "text/plain", b"")]),
        ("|Content-Type: multipart\n|\n|--b", [("1", "text/plain", b"--b")]),
        ("|Content-Type: text\n|\n|x", [("1", "text/plain", b"x")]),
        ("|Content-Type: multipart/x; boundary=b\n|\n|--b \t\n|\n|x\n|--bc", [("1", "text/plain", b"x")]),
    ],
)
def test_boundaries(text: str, parts: list[tuple[str, str, bytes]]) -> None:
    raw = message(text) if "\n " in text else message(text.strip())
    raw = raw.rstrip(b"\r\n") if not raw.endswith(b"never ended\r\n") else raw
    assert outline(raw) == parts


DIGEST = """
  |Content-Type: multipart/digest; boundary=b
  |
  |--b
  |
  |Subject: one
  |
  |first
  |--b
  |Content-Type: text/plain
  |
  |second
  |--b
  |X: y
  |
  |Subject: three
  |--b
  |Content-Type: message/rfc822
  |--b--
"""


def test_a_digest_holds_messages() -> None:
    raw = message(DIGEST)
    assert outline(raw) == [
        ("1", "message/rfc822", b"Subject: one\r\n\r\nfirst"),
        ("1.1", "text/plain", b"first"),
        ("2", "text/plain", b"second"),
        ("3", "message/rfc822", b"Subject: three"),
        ("3.1", "text/plain", b""),
        ("4", "message/rfc822", b""),
        ("4.1", "text/plain", b""),
    ]
    assert [part.lines for part in scan(raw) if part.is_message] == [2, 0, 0]


NUMBERS = """
  |Content-Type: multipart/mixed; boundary=a
  |
  |--a
  |
  |1
  |--a
  |Content-Type: message/rfc822
  |
  |Content-Type: multipart/mixed; boundary=b
  |
  |--b
  |
  |2.1
  |--b
  |Content-Type: multipart/mixed; boundary=c
  |
  |--c
  |
  |2.2.1
  |--c
  |Content-Type: message/global
  |
  |Subject: x
  |
  |2.2.2.1
  |--c--
  |--b--
  |--a--
"""


def test_numbers_of_parts_are_those_of_rfc_9051() -> None:
    found = {path: content for path, kind, content in outline(message(NUMBERS)) if kind == "text/plain"}
    assert found == {path: path.encode() for path in ("1", "2.1", "2.2.1", "2.2.2.1")}
    assert [path for path, _, _ in outline(message(NUMBERS))] == ["1", "2", "2.1", "2.2", "2.2.1", "2.2.2", "2.2.2.1"]


def test_a_message_that_is_a_message() -> None:
    raw = message("|Content-Type: message/rfc822\n|\n|Content-Type: message/rfc822\n|\n|Subject: x\n|\n|y")
    assert [(path, kind) for path, kind, _ in outline(raw)] == [
        ("1", "message/rfc822"),
        ("1.1", "message/rfc822"),
        ("1.1.1", "text/plain"),
    ]


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("Content-Transfer-Encoding: base64", None),  # has no field that marks it as MIME
        ("Mime-Version: 1.0\r\nContent-Transfer-Encoding: base64", b"base64"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: BASE64 (x)", b"BASE64"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: 7 bit", None),
    ],
)
def test_content_fields_count_in_mime_only(head: str, encoding: bytes | None) -> None:
    (part,) = scan(head.encode() + b"\r\n\r\nx")
    assert part.encoding == encoding


def test_first_of_two_content_types_counts() -> None:
    (part,) = scan(b"Content-Type: text/html\r\nContent-Type: image/png\r\n\r\n")
    assert part.content_type.essence == b"text/html"


def nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%dx\r\n\r\n--b%dx\r\n" % (n, n) for n in range(depth))


@pytest.mark.parametrize("raw", [nested(50), b"Content-Type: message/rfc822\r\n\r\n" * 50])
def test_parts_that_are_too_deep_are_one_opaque_part(raw: bytes) -> None:
    parts = scan(raw, Limits(mime_depth=10))
    assert len(parts) == 10
    assert parts[-1].content_type.essence == b"application/octet-stream"
    assert parts[-1].stop == len(raw)


def test_the_last_allowed_part_contains_the_rest() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nX: y\r\n\r\nz\r\n" * 20 + b"--b--\r\n"
    parts = scan(raw, Limits(mime_parts=5))
    assert len(parts) == 5
    assert parts[-1].content_type.essence == b"application/octet-stream"
    assert parts[-1].stop == len(raw)
    assert raw[parts[-2].content_start : parts[-2].stop] == b"z"


def test_the_size_of_all_headers_is_limited() -> None:
    raw = b"X: y\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n--b--\r\n"
    both = raw.index(b"\r\n--b--") - len(b"--b\r\n")
    parts = scan(raw, Limits(header_bytes=both))
    assert [part.content_type.essence for part in parts] == [b"multipart/mixed", b"text/html"]
    parts = scan(raw, Limits(header_bytes=both - 10))
    assert [part.content_type.essence for part in parts] == [b"multipart/mixed", b"text/plain"]


def test_parts_are_freed_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        parts = scan(
            message("""
            |Content-Type: multipart/mixed; boundary=a
            |
            |--a
            |Content-Type: message/rfc822
            |
            |Subject: inside
            |
            |text
            |--a--
            """)
        )
        assert [part.path for part in parts] == [(), (1,), (1, 1)]
        del parts
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_mapped_file_gives_the_same_parts_as_bytes() -> None:
    raw = message(NUMBERS)
    with mmap.mmap(-1, len(raw)) as mapped:
        mapped[:] = raw
        assert [describe(part) for part in scan(mapped)] == [describe(part) for part in scan(raw)]


def describe(part: Part) -> tuple[object, ...]:
    return part.path, part.content_type, part.header_start, part.content_start, part.stop, part.lines


LINES = st.sampled_from(
    [
        "--a",
        "--b",
        "--ab",
        "--a--",
        "--b--",
        "",
        "text",
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: multipart/digest; boundary=b",
        "Content-Type: multipart/mixed; boundary=ab",
        "Content-Type: message/rfc822",
        "Content-Type: text/html",
        "\0\xff",
    ]
)


@given(st.lists(LINES, max_size=40), st.booleans(), st.integers(1, 12), st.integers(1, 8))
def test_parts_are_within_their_parents_and_after_their_siblings(
    lines: list[str], ended: bool, most: int, depth: int
) -> None:
    raw = "\r\n".join(lines).encode("latin-1") + (b"\r\n" if ended else b"")
    parts = scan(raw, Limits(mime_parts=most, mime_depth=depth))
    assert parts[0].stop == len(raw)
    for part in parts:
        assert part.header_start <= part.content_start <= part.stop
        if part.is_message or part.is_text:
            assert part.lines == raw.count(b"\n", part.content_start, part.stop)
        if part.is_multipart or part.is_message:
            assert part.children
        if part.is_message:
            assert len(part.children) == 1
        position = part.content_start
        for child in part.children:
            assert position <= child.header_start
            assert child.stop <= part.stop
            position = child.stop
    paths = [part.path for part in parts if part.is_numbered]
    assert len(set(paths)) == len(paths)


@given(st.binary(max_size=300))
def test_any_octets_have_a_structure(raw: bytes) -> None:
    assert scan(raw)[0].stop == len(raw)


def test_the_deepest_message_needs_no_deep_stack() -> None:
    deep = nested(1500) + b"\r\nx"
    assert len(scan(deep, Limits(mime_depth=2000))) == 1501


# Positions of boundaries


class EachLine(scan_module._Scanner):
    """Finds boundaries by the definition in RFC 2046 §5.1.1: compares each line with each open boundary."""

    def _boundary_from(self, position: int) -> int:
        return next((line for line in range(max(position, 1), self._size) if self._matching(line)), self._size)

    def _which_at(self, line: int) -> int:
        return max(self._matching(line))[1]

    def _matching(self, line: int) -> list[tuple[int, int]]:
        rest = self._raw[line - 1 :]
        names = [boundary.name for boundary in self._boundaries]
        return [(len(name), index) for index, name in enumerate(names) if rest.startswith(b"\n--" + name)]


BOUNDARIES = (b"b", b"bb", b"ab", b"b-", b"--", b"c" * 79, b"c" * 80, b"c" * 90)
PIECES = st.one_of(
    st.builds(
        b"--%b%b%b".__mod__,
        st.tuples(
            st.sampled_from(BOUNDARIES),
            st.sampled_from((b"", b"--", b" ", b"x", b"-")),
            st.sampled_from((b"\r\n", b"\r\n\r\n", b"\n", b"")),
        ),
    ),
    st.builds(
        b'Content-Type: multipart/%b; boundary="%b"%b'.__mod__,
        st.tuples(
            st.sampled_from((b"mixed", b"digest")),
            st.sampled_from(BOUNDARIES),
            st.sampled_from((b"\r\n\r\n", b"\r\n", b"\n\n")),
        ),
    ),
    st.sampled_from(
        (b"Content-Type: message/rfc822\r\n\r\n", b"A: b\r\n", b"text\r\n", b"\r\n", b"\n", b"--x\r\n", b"\n--")
    ),
)


@pytest.mark.parametrize("at_once", [7, 256 * 1024])
@given(pieces=st.lists(PIECES, max_size=40), limits=st.sampled_from((Limits(), Limits(mime_parts=5, mime_depth=4))))
def test_each_boundary_is_found_and_nothing_else(at_once: int, pieces: list[bytes], limits: Limits) -> None:
    raw = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "_SOUGHT_AT_ONCE", at_once)
        found = [describe(part) for part in scan(raw, limits)]
        patch.setattr(scan_module, "_Scanner", EachLine)
        assert found == [describe(part) for part in scan(raw, limits)]


class Counted(bytes):
    """Octets that count the searches in them, and the octets searched."""

    searches = searched = 0

    def find(self, sought: bytes, start: int = 0, stop: int | None = None) -> int:  # type: ignore[override]
        found = super().find(sought, start, stop)
        self.searches += 1
        self.searched += (found if found >= 0 else len(self) if stop is None else stop) - start
        return found


def counted(raw: bytes) -> Counted:
    octets = Counted(raw)
    scan(octets)
    return octets


def test_lines_that_begin_like_a_boundary_cost_no_step_each() -> None:
    beginning = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    few, many = counted(beginning + b"\r\n--c" * 10), counted(beginning + b"\r\n--c" * 10_000)
    assert few.searches == many.searches


def test_an_inner_boundary_is_searched_for_only_in_its_own_multipart() -> None:
    part = b"--b\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n--x%d\r\n\r\none\r\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(part % (n, n) for n in range(500))
    assert counted(raw).searched < 10 * len(raw)
