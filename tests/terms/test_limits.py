"""The default limits are as high as the RFCs require."""

from __future__ import annotations

from base64 import b64encode

import pytest

from mektup.terms.account_names import LONGEST_ACCOUNT_NAME_OCTETS
from mektup.terms.limits import Limits

DEFAULTS = Limits()


@pytest.mark.parametrize(
    ("limit", "least"),
    [
        # RFC 2449 §4: a command of POP3; RFC 5321 §4.5.3.1: one of SMTP, with the additions of its extensions
        ("login_line_bytes", 255),
        ("login_line_bytes", 512 + 26 + 17 + 10),
        ("line_bytes", 512),
        # RFC 5321 §4.5.3.1.7
        ("message_bytes", 64 * 1024),
        # RFC 5321 §4.5.3.1.8
        ("lmtp_recipients", 100),
        # RFC 9051 §5.4
        ("idle_seconds", 30 * 60),
    ],
)
def test_the_limits_allow_what_the_rfcs_require(limit: str, least: int) -> None:
    assert getattr(DEFAULTS, limit) >= least


def test_the_longest_initial_response_of_a_login_fits_in_a_line() -> None:
    # RFC 4959 §6; RFC 4616 §2: each of the three may have 255 octets
    name, password = b"a" * LONGEST_ACCOUNT_NAME_OCTETS, b"p" * 255
    response = b64encode(b"\0".join((name, name, password)))
    assert len(b"a1 AUTHENTICATE PLAIN " + response) < DEFAULTS.login_line_bytes
