"""getmail: fetches by IMAP and by POP3, through a delivery command, and takes nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from .delivery import DeliveryCommand, as_handed_over
from .mail import SAMPLES, append, held
from .programs import private_file, program
from .served import Account

CONFIGURATION = """\
[retriever]
type = {retriever}
server = localhost
port = {port}
username = {name}
password = {password}
{tls}

[destination]
type = MDA_external
path = {command}
allow_root_commands = true

[options]
read_all = false
delete = {delete}
delivered_to = false
received = false
verbose = 2
"""

RETRIEVERS = {
    "imap": "SimpleIMAPRetriever",
    "imaps": "SimpleIMAPSSLRetriever",
    "pop3": "SimplePOP3Retriever",
    "pop3s": "SimplePOP3SSLRetriever",
}


@pytest.mark.parametrize("listener", RETRIEVERS)
def test_fetch(account: Account, tmp_path: Path, listener: str) -> None:
    getmail = program("getmail", "getmail6", tmp_path)
    append(account, "INBOX", SAMPLES)
    command = DeliveryCommand(tmp_path)

    def fetch(*, delete: bool) -> bytes:
        text = CONFIGURATION.format(
            retriever=RETRIEVERS[listener],
            port=account.port(listener),
            name=account.name,
            password=account.password,
            tls=f"ca_certs = {account.certificate}" if listener.endswith("s") else "",
            command=command.path,
            delete="true" if delete else "false",
        )
        private_file(tmp_path / "getmailrc", text)
        return getmail.run("--getmaildir", tmp_path, "--rcfile", tmp_path / "getmailrc")

    fetch(delete=False)
    # By IMAP, it says in a field of its own from which mailbox a message came.
    fetched = [raw.replace(b"\nX-getmail-retrieved-from-mailbox: INBOX", b"") for raw in command.delivered]
    assert fetched == [as_handed_over(raw) for raw in SAMPLES]

    # What it has seen once, it knows by its UID or UIDL.
    assert b"0 messages (0 bytes) retrieved" in fetch(delete=False)
    assert len(command.delivered) == len(SAMPLES)

    fetch(delete=True)
    assert held(account) == []
