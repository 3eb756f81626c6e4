"""imapflow, from npm: the IMAP library of many Node.js programs, over TLS."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .mail import ATTACHMENT, DOTS, ENCODED, PLAIN, SAMPLES, append, as_delivered, deliver, held, logged_in
from .programs import program
from .served import Account

SESSION = Path(__file__).with_name("imapflow") / "session.mjs"
RESYNC = SESSION.with_name("resync.mjs")


@pytest.mark.timeout(360)
def test_session(account: Account, modules: Path, tmp_path: Path) -> None:
    node = program("node", "nodejs", tmp_path)
    append(account, "INBOX", SAMPLES)
    words = [str(modules), str(account.port("imaps")), account.name, account.password, str(account.certificate)]
    found: dict[str, Any] = {}
    with subprocess.Popen([node.path, str(SESSION), *words], stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        for line in session.stdout:
            step = json.loads(line)
            found[step["step"]] = step["found"]
            if step["step"] == "idling":
                deliver(account, DOTS)
    assert session.returncode == 0
    assert "end" in found

    uses = {"Drafts": "\\Drafts", "Sent": "\\Sent", "Junk": "\\Junk", "Trash": "\\Trash", "Archive": "\\Archive"}
    assert {path: use for path, use in found["mailboxes"] if path != "INBOX"} == uses
    messages = found["messages"]
    assert [base64.b64decode(message["source"]) for message in messages] == list(SAMPLES)
    assert [message["size"] for message in messages] == [len(raw) for raw in SAMPLES]
    assert messages[0]["subject"] == "dinner at eight"
    assert messages[0]["from"] == "ada@example.org"
    assert messages[SAMPLES.index(ENCODED)]["subject"] == "Akşam yemeği"
    assert messages[SAMPLES.index(ATTACHMENT)]["type"] == "multipart/mixed"

    # what it uses where it is announced: COMPRESS=DEFLATE, OBJECTID
    assert found["compressed"] is True
    assert found["mailboxId"]
    assert len({message["emailId"] for message in messages}) == len(set(SAMPLES))
    assert all(message["threadId"] for message in messages)

    uids = [message["uid"] for message in messages]
    new = found["appended"]["uid"]
    assert new > uids[-1]
    assert found["keyword"] == [new]
    assert found["subject"] == [uids[SAMPLES.index(ENCODED)]]
    assert "\\Flagged" in found["flagged"]
    assert found["deleted"] is True
    assert found["status"]["messages"] == 1
    assert found["exists"] == {"count": len(SAMPLES), "prevCount": len(SAMPLES) - 1}
    [(moved_from, moved_to)] = found["moved"]
    assert moved_from == uids[1]
    assert [(m.uid, m.raw) for m in held(account, "Archive")] == [(moved_to, SAMPLES[1])]

    now = held(account)
    assert [m.uid for m in now][:-1] == [uids[0], *uids[3:], new]
    assert now[0].raw == PLAIN
    assert "\\Flagged" in now[0].flags
    assert "Work" in now[-2].flags
    assert as_delivered(now[-1].raw) == DOTS


@pytest.mark.timeout(360)
def test_comes_back_by_qresync(account: Account, modules: Path, tmp_path: Path) -> None:
    node = program("node", "nodejs", tmp_path)
    append(account, "INBOX", SAMPLES[:5])
    words = [str(modules), str(account.port("imaps")), account.name, account.password, str(account.certificate)]

    def run(*known: str) -> dict[str, Any]:
        command = [node.path, str(RESYNC), *words, *known]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return {step["step"]: step["found"] for step in map(json.loads, done.stdout.splitlines())}

    first = run()
    assert {"CONDSTORE", "QRESYNC"} <= set(first["enabled"])
    assert (first["opened"]["exists"], first["opened"]["gone"], first["opened"]["flagged"]) == (5, [], [])

    with logged_in(account) as elsewhere:
        elsewhere.select("INBOX")
        elsewhere.store("2,4", "+FLAGS", r"(\Deleted)")
        elsewhere.expunge()
        elsewhere.store("2", "+FLAGS", r"(\Flagged)")

    again = run(first["opened"]["uidValidity"], first["opened"]["modseq"])
    opened = again["opened"]
    assert (opened["exists"], opened["flagged"]) == (3, [[3, ["\\Flagged"]]])
    assert opened["gone"] == [[2, True, True], [4, True, True]]
    assert again["deleted"] == {"last": 5, "gone": [[5, True, False]], "exists": 2}
