"""Questions are read strictly, because the other end may be any program."""

from __future__ import annotations

import pytest
import structlog

from mektup.server.addresses import Service
from mektup.server.control.messages import (
    AskEnd,
    AskSessions,
    AskTrace,
    Problem,
    ProblemKind,
    Question,
    Whom,
    encoded,
    question,
)
from mektup.server.control.selection import Selection
from mektup.server.visit import Visit
from mektup.session.services import Tally


@pytest.mark.parametrize(
    "asked",
    [
        AskSessions(),
        AskSessions(Whom("linda"), strangers=True),
        AskEnd(Whom(address="192.0.2.0/24"), "maintenance"),
        AskTrace(Whom("linda", "unix"), content=True),
    ],
)
def test_a_question_is_read_as_it_was_written(asked: Question) -> None:
    assert question(encoded(asked)) == asked


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"who\n",
        b"[]\n",
        b"[" * 5000 + b"\n",
        b'{"type":"sessions","whom":{"target":3}}\n',
        b'{"type":"open"}\n',
        b'{"type":"end"}\n',
        b'{"type":"trace","whom":{}}\n',
        b'{"type":"end","whom":{"address":"nowhere"}}\n',
        b'{"type":"end","whom":{"target":"' + b"x" * 500 + b'"}}\n',
        b'{"type":"sessions","whom":{"target":"\xff"}}\n',
    ],
)
def test_anything_else_is_not_understood(line: bytes) -> None:
    assert question(line) == Problem(ProblemKind.NOT_UNDERSTOOD)


@pytest.mark.parametrize("line", [b'{"type":"sessions","version":2}\n', b'{"type":"later","version":"new"}\n'])
def test_another_version_is_told(line: bytes) -> None:
    assert question(line) == Problem(ProblemKind.OTHER_VERSION)


def visit(user: str | None) -> Visit:
    return Visit(Service.IMAP, "0badcafe", Tally(), structlog.get_logger(), user=user)


@pytest.mark.parametrize(
    ("whom", "user", "address", "is_meant"),
    [
        (Whom(), None, "192.0.2.1", True),
        (Whom("linda"), "Linda", "192.0.2.1", True),
        (Whom("linda"), "lindas", "192.0.2.1", False),
        (Whom("linda"), None, "192.0.2.1", False),
        (Whom("0badcafe"), None, "192.0.2.1", True),
        (Whom(address="192.0.2.0/24"), None, "192.0.2.1", True),
        (Whom(address="192.0.2.0/24"), None, "192.0.3.1", False),
        (Whom(address="192.0.2.0/24"), None, "2001:db8::1", False),
        (Whom(address="192.0.2.0/24"), None, "unix", False),
        (Whom(address="2001:db8::/64"), None, "2001:db8::1", True),
        (Whom(address="unix"), None, "unix", True),
        (Whom("linda", "192.0.2.1"), "linda", "192.0.2.1", True),
        (Whom("linda", "192.0.2.2"), "linda", "192.0.2.1", False),
    ],
)
def test_sessions_that_are_meant(whom: Whom, user: str | None, address: str, is_meant: bool) -> None:
    assert Selection(whom).means(visit(user), address) is is_meant
