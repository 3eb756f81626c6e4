"""LMTP envelopes that anybody on the internet can cause."""

from __future__ import annotations

import re

from bench.hostile.attack import ATTACKER, Attack, Stage, Who
from bench.hostile.client import shown

_MAIL = b"Subject: x\r\n\r\nx\r\n"


def _into_sent(stage: Stage) -> str:
    folders = ("Sent", "sent", "Drafts", "Trash")
    client = stage.imap()

    def held() -> int:
        answers = [client.ask(f"STATUS {folder} (MESSAGES)".encode()) for folder in ("Sent", "Drafts", "Trash")]
        return sum(int(count) for answer in answers for count in re.findall(rb"MESSAGES ([0-9]+)", answer))

    before = held()
    for folder in folders:
        stage.deliver(_MAIL, f"{ATTACKER}+{folder}@example.org")
    found = held() - before
    return f"failed: {found} of {len(folders)} lie there" if found else "all lie in INBOX"


def _many_plus_signs(stage: Stage) -> str:
    client = stage.connect("lmtp")
    client.until(b"220 ")
    client.send(b"LHLO x\r\nMAIL FROM:<>\r\n")
    client.until(b"250 2.1.0")
    count = 50 if stage.is_short else 200
    client.send(b"".join(b"RCPT TO:<x%d%b@example.org>\r\n" % (number, b"+" * 8000) for number in range(count)))
    client.send(b"NOOP\r\n")
    return shown(client.until(b"250 2.0.0 Here"))


ROWS = (
    Attack(
        key="detail-sent",
        who=Who.STRANGER,
        what="mail to user+sent@, and to Drafts and Trash",
        before="lies in Sent",
        run=_into_sent,
    ),
    Attack(
        key="many-plus",
        who=Who.STRANGER,
        what="200 addresses of 8,000 plus signs, sent ahead",
        before="",
        run=_many_plus_signs,
    ),
)
