"""getmail: fetches by IMAP and by POP3, delivers by LMTP, and fetches nothing twice.

It uses no delivery command: getmail 6.18 waits for the end of a command only after it has started it, so it waits for
ever for a command that ends at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .delivery import as_handed_over
from .mail import SAMPLES, append, held
from .programs import private_file, program
from .served import Account, Served, new_account

CONFIGURATION = """\
[retriever]
type = {retriever}
server = localhost
port = {port}
username = {name}
password = {password}
{tls}

[destination]
type = MDA_lmtp
host = localhost
port = {lmtp}
override = {recipient}

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

MAILBOX_FIELD = b"X-getmail-retrieved-from-mailbox: INBOX\r\n"


@pytest.mark.parametrize("listener", RETRIEVERS)
def test_fetch(server: Served, account: Account, tmp_path: Path, listener: str) -> None:
    getmail = program("getmail", "getmail6", tmp_path)
    append(account, "INBOX", SAMPLES)
    recipient = new_account(server)

    def fetch(*, delete: bool) -> bytes:
        text = CONFIGURATION.format(
            retriever=RETRIEVERS[listener],
            port=account.port(listener),
            name=account.name,
            password=account.password,
            tls=f"ca_certs = {account.certificate}" if listener.endswith("s") else "",
            lmtp=account.port("lmtp"),
            recipient=recipient.name,
            delete="true" if delete else "false",
        )
        private_file(tmp_path / "getmailrc", text)
        return getmail.run("--getmaildir", tmp_path, "--rcfile", tmp_path / "getmailrc")

    fetch(delete=False)
    # getmail adds fields at the top; by IMAP also one at the end of the header, which names the mailbox.
    taken = [each.raw[each.raw.index(b"From: Ada") :].replace(MAILBOX_FIELD, b"") for each in held(recipient)]
    assert [as_handed_over(raw) for raw in taken] == [as_handed_over(raw) for raw in SAMPLES]

    # getmail recognizes fetched mail by its UID or UIDL.
    assert b"0 messages (0 bytes) retrieved" in fetch(delete=False)
    assert len(held(recipient)) == len(SAMPLES)

    fetch(delete=True)
    assert held(account) == []
