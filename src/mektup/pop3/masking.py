"""What may be shown of a client's lines, for ``session.tap``. PASS and AUTH carry passwords."""

from __future__ import annotations

import re

from mektup.auth.sasl import KNOWN_MECHANISMS
from mektup.pop3.commands import RULES
from mektup.session.tap import MASK, Answers, Tap

_NUMBERS = re.compile(rb"[A-Za-z0-9]{3,4}( [0-9]{1,10})*")


def tell_command(tap: Tap, line: bytes) -> None:
    """Tells *tap* of a command."""
    verb, _, text = line.partition(b" ")
    word = verb.upper().decode("ascii", "replace")
    if word not in RULES:
        tap.hidden(len(line))
    elif word == "AUTH":
        mechanism, _, more = text.strip().partition(b" ")
        known = mechanism if mechanism.upper() in KNOWN_MECHANISMS else MASK
        tap.command(b" ".join([verb, *([known] if mechanism else []), *([MASK] if more else [])]), Answers.CHALLENGES)
    elif word == "USER" and b" " not in text:
        tap.command(line)
    elif word != "PASS" and _NUMBERS.fullmatch(line):
        # a message is multi-line, and a listing is a few lines for each message, which are worth reading
        tap.command(line, Answers.MESSAGE if word in ("RETR", "TOP") else Answers.LINES)
    else:
        tap.command(b"%b %b" % (verb, MASK) if text else verb)
