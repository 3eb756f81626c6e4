"""An error can be shown without its text, because the text may repeat a password."""

from __future__ import annotations

import traceback

from mektup.terms.errors import without_text


class OurError(Exception):
    """Has a text, a cause, and a note."""


def fails(given: str) -> None:
    try:
        try:
            raise KeyError(given)
        except KeyError as cause:
            raise OurError(f"cannot use {given}") from cause
    except OurError as error:
        error.add_note(given)
        raise ValueError(given) from error


def caught() -> ValueError:
    try:
        fails("geheim")
    except ValueError as error:
        return error
    raise AssertionError


def test_types_and_places_are_shown_and_no_text() -> None:
    shown = "".join(traceback.format_exception(without_text(caught())))
    assert "geheim" in "".join(traceback.format_exception(caught()))
    assert shown.replace('fails("geheim")', "").count("geheim") == 0
    for word in ("KeyError", "OurError", "ValueError", "in fails", "direct cause"):
        assert word in shown


def test_a_long_chain_is_walked_once() -> None:
    error: Exception = ValueError("geheim")
    for _ in range(200):
        try:
            raise OurError("geheim") from error
        except OurError as raised:
            error = raised
    shown = "".join(traceback.format_exception(without_text(error)))
    assert shown.count("OurError\n") == 200


def test_what_happened_while_another_error_was_handled_is_shown_too() -> None:
    try:
        try:
            raise KeyError("geheim")
        except KeyError:
            raise ValueError("geheim")  # noqa: B904
    except ValueError as error:
        shown = "".join(traceback.format_exception(without_text(error)))
    assert "During handling" in shown
    assert "KeyError" in shown
