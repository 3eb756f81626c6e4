"""A cached line gives the same request with another tag, and only if all else is the same."""

from dataclasses import replace as with_limits

import pytest
from msgspec.structs import replace

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.sets import SequenceSet
from mektup.wire.commands import _of_one_message, _whole
from mektup.wire.grammar import REPEATED
from mektup.wire.repeated import LINE_BYTES, MOST
from mektup.wire.requests import Copy, Noop, Select
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


def test_limits_are_part_of_the_key() -> None:
    line = "a1 FETCH 1 (UID FLAGS)"
    narrow = with_limits(DEFAULT_LIMITS, fetch_items=1)
    assert parsed(line)
    assert complaint(line, limits=narrow) == "Expected at most 1 items at column 17"
    assert parsed(line)


def test_an_error_has_the_column_in_the_line_of_the_client() -> None:
    assert complaint("a1 STATUS INBOX (NONSENSE)").endswith("at column 18")
    assert complaint("a-longer-tag STATUS INBOX (NONSENSE)").endswith("at column 28")


@pytest.mark.parametrize("line", ["LOGIN linda 7 ", "LOGIN 7 Pa$$123", "AUTHENTICATE PLAIN AGEAYg==", "SEARCH TEXT x"])
def test_secrets_and_rare_commands_are_not_cached(line: str) -> None:
    assert REPEATED.fullmatch(b"a1 " + line.encode()) is None


def test_long_lines_are_not_cached() -> None:
    before = _whole.cache_info().misses
    assert parsed(f"a1 STATUS {'x' * LINE_BYTES} (UNSEEN)")
    assert _whole.cache_info().misses == before
    assert parsed("a1 STATUS short (UNSEEN)")
    assert _whole.cache_info().misses == before + 1


def test_the_caches_are_bounded() -> None:
    for number in range(2 * MOST):
        assert parsed(f"a SELECT m{number}") == Select(b"a", f"m{number}", read_only=False)
        copied = parsed(f"a COPY 1 m{number}")
        assert copied == Copy(b"a", by_uid=False, numbers=SequenceSet(((1, 1),)), mailbox=f"m{number}")
    assert _whole.cache_info().currsize == _of_one_message.cache_info().currsize == MOST
