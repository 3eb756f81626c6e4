"""What may be shown of the lines of an SMTP server, for ``session.tap``. AUTH and CONT carry passwords."""

from __future__ import annotations

import re

from mektup.session.tap import MASK, Answers, Tap

_HARMLESS = re.compile(rb"(?:VERSION|CPID|CANCEL)(?:\t[0-9]{1,10}){1,2}")
_AUTH = re.compile(
    rb"(AUTH\t[0-9]{1,10}\t[A-Za-z0-9_-]{1,20}(?:\t(?:service=[a-z]+|nologin|secured(?:=tls)?|[lr](?:ip|port)=[0-9a-fA-F.:]+))*)"
    rb"(\t.*)?",
    re.DOTALL,
)
_CONT = re.compile(rb"(CONT\t[0-9]{1,10})(\t.*)?", re.DOTALL)


def tell_command(tap: Tap, line: bytes) -> None:
    """Tells *tap* of a command. Only parameters that cannot be a secret are shown."""
    if _HARMLESS.fullmatch(line):
        tap.command(line, Answers.CHALLENGES)
    elif found := _AUTH.fullmatch(line) or _CONT.fullmatch(line):
        tap.command(found[1] + (b"\t" + MASK if found[2] else b""), Answers.CHALLENGES)
    else:
        tap.hidden(len(line))
