"""What may be shown of a client's lines, for ``session.tap``. LMTP has no passwords, but a client may try AUTH."""

from __future__ import annotations

from mektup.lmtp.commands import RULES
from mektup.session.tap import Tap


def tell_command(tap: Tap, line: bytes) -> None:
    """Tells *tap* of a command."""
    if line.partition(b" ")[0].upper() in RULES:
        tap.command(line)
    else:
        tap.hidden(len(line))
