"""A cached line gives the same request with another tag, and only if all else is the same."""

from dataclasses import replace as with_limits

import pytest
from msgspec.structs import replace

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.sets import SequenceSet
from mektup.wire.repeated import MOST, Repeated
from mektup.wire.requests import Copy, Login, Noop, Request, Select, Status
from tests.wire.parsing import complaint, parsed


@pytest.mark.parametrize(
    "line", ["NOOP", "STATUS INBOX (MESSAGES UNSEEN)", "SELECT INBOX (CONDSTORE)", 'LIST "" "*"', "IDLE", "CHECK"]
)
def test_a_line_with_another_tag_is_the_same_request(line: str) -> None:
    first, second = parsed(f"a1 {line}"), parsed(f"b2 {line}")
    assert first == replace(second, tag=b"a1")
    assert second.tag == b"b2"


@pytest.mark.parametrize(
    "line",
    [
        "UID FETCH {} (BODY.PEEK[1]<0.2048>)",
        "fetch {} FULL",
        "UID FETCH {} (FLAGS) (CHANGEDSINCE 5)",
        "STORE {} (UNCHANGEDSINCE 7) +FLAGS.SILENT (\\Seen $Junk)",
        "UID COPY {} Archive",
        "MOVE {} &AOk-",
    ],
)
def test_a_line_with_another_message_number_is_the_same_request(line: str) -> None:
    first, second, fresh = (parsed(f"a1 {line.format(number)}") for number in ("17", "4", "3:3"))
    assert first == replace(second, numbers=SequenceSet(((17, 17),)))
    assert second == replace(fresh, numbers=SequenceSet(((4, 4),)))


def test_invalid_numbers_do_not_match_a_kept_line() -> None:
    assert parsed("a1 UID FETCH 7 (FLAGS)")
    assert complaint("a1 UID FETCH 0 (FLAGS)").startswith("Expected a sequence set")
    assert complaint("a1 UID FETCH 4294967296 (FLAGS)").startswith("Expected numbers from 1")
    assert complaint("a1 UID FETCH  (FLAGS)").startswith("Expected a sequence set")


def test_invalid_tags_do_not_match_a_kept_line() -> None:
    assert parsed("a1 NOOP") == Noop(b"a1")
    assert complaint("a+ NOOP").startswith("Expected")
    assert complaint("+ NOOP").startswith("Expected a tag of your choice")


def test_utf8_is_part_of_the_key() -> None:
    line = "a1 SELECT &AOk-"
    assert parsed(line) == Select(b"a1", "é", read_only=False)
    assert parsed(line, utf8=True) == Select(b"a1", "&AOk-", read_only=False)
    assert parsed(line) == Select(b"a1", "é", read_only=False)


def find(repeated: Repeated, line: bytes, limits: object = DEFAULT_LIMITS) -> Request | None:
    return repeated.find(line, utf8=False, limits=limits)  # type: ignore[arg-type]


def test_other_limits_clear_the_cache() -> None:
    repeated = Repeated()
    repeated.keep(b"a1 NOOP", Noop(b"a1"), utf8=False, limits=DEFAULT_LIMITS)
    assert find(repeated, b"a2 NOOP") == Noop(b"a2")
    assert find(repeated, b"a2 NOOP", with_limits(DEFAULT_LIMITS, line_bytes=100)) is None


def test_secrets_and_long_lines_are_not_kept() -> None:
    repeated = Repeated()
    repeated.keep(b"a1 LOGIN a b", Login(b"a1", b"a", b"b"), utf8=False, limits=DEFAULT_LIMITS)
    assert find(repeated, b"a1 LOGIN a b") is None
    long = "x" * 300
    repeated.keep(b"a1 STATUS %b (UNSEEN)" % long.encode(), Status(b"a1", long, ()), utf8=False, limits=DEFAULT_LIMITS)
    assert find(repeated, b"a1 STATUS %b (UNSEEN)" % long.encode()) is None


def test_the_cache_is_bounded() -> None:
    repeated = Repeated()
    lines = [b"a SELECT m%d" % number for number in range(2 * MOST)]
    for line in lines:
        repeated.keep(line, Select(b"a", line[9:].decode(), read_only=False), utf8=False, limits=DEFAULT_LIMITS)
    copies = [b"a COPY 1 m%d" % number for number in range(2 * MOST)]
    for line in copies:
        copy = Copy(b"a", by_uid=False, numbers=SequenceSet(((1, 1),)), mailbox=line[9:].decode())
        repeated.keep(line, copy, utf8=False, limits=DEFAULT_LIMITS)
    assert 0 < sum(find(repeated, line) is not None for line in lines + copies) <= MOST
