"""Follows docs/at-home.md, and uses the server. Run as a program, as root, in new namespaces; prints what it saw."""

from __future__ import annotations

import imaplib
import json
import os
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.clients.at_home import machine, page
from tests.clients.at_home.person import PASSWORD, paste

SECONDS = 50.0
NAME = "mail.example.org"
CERTIFICATE = Path(f"/etc/letsencrypt/live/{NAME}/fullchain.pem")
SINK, SENT = "127.0.0.1:2525", Path("/var/tmp/sent")
RAW = "Subject: {}\r\nFrom: <{}>\r\nTo: <{}>\r\n\r\nhello\r\n"


def follow() -> str:
    """Pastes each block of the page; returns all that the terminal showed."""
    shown = ""
    for block in page.blocks():
        if machine.PIP in block:
            before, _, after = block.partition(machine.PIP)
            shown += paste(before)
            machine.install_mektup()
            shown += paste(after)
        else:
            shown += paste(block)
        if "apt-get install" in block:
            # the world is missing: mail for others goes to one place, and there is no journal
            paste(f"postconf -e relayhost=[{SINK.partition(':')[0]}]:{SINK.partition(':')[2]}")
            paste("postconf -e maillog_file=/var/log/postfix.log")
    return shown


def until(seen: Callable[[], Any]) -> Any:
    """The first true result."""
    ends = time.monotonic() + SECONDS
    while not (found := seen()):
        assert time.monotonic() < ends, Path("/var/log/postfix.log").read_text()[-3000:]
        time.sleep(0.05)
    return found


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


def imap(user: str) -> imaplib.IMAP4:
    client = imaplib.IMAP4_SSL(NAME, 993, ssl_context=context(), timeout=SECONDS)
    client.login(user, PASSWORD)
    return client


def outside() -> smtplib.SMTP:
    """Another mail server on the internet."""
    return smtplib.SMTP(NAME, 25, "mx.example.net", SECONDS, (machine.OUTSIDE, 0))


def submission(port: int) -> smtplib.SMTP:
    """A mail program on the internet, before its login."""
    source = (machine.OUTSIDE, 0)
    if port == 465:
        return smtplib.SMTP_SSL(NAME, port, "phone", timeout=SECONDS, source_address=source, context=context())
    client = smtplib.SMTP(NAME, port, "phone", SECONDS, source)
    client.starttls(context=context())
    return client


def answer(doing: Callable[[], Any]) -> str:
    """Code and text of a refusal; empty where nothing is refused."""
    try:
        doing()
    except smtplib.SMTPRecipientsRefused as refused:
        ((code, text),) = refused.recipients.values()
    except smtplib.SMTPResponseException as refused:
        code, text = refused.smtp_code, refused.smtp_error
    else:
        return ""
    return f"{code} {text.decode() if isinstance(text, bytes) else text}"


def send(client: smtplib.SMTP, sender: str, recipient: str, subject: str = "x") -> str:
    with client:
        return answer(lambda: client.sendmail(sender, [recipient], RAW.format(subject, sender, recipient)))


def wake_an_idle_client() -> dict[str, Any]:
    """Mail from outside reaches a client in IDLE; returns its beginning."""
    client = imap("linda@example.org")
    count = int(client.select()[1][0] or b"0")
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+ ")
    refused = send(outside(), "ada@example.net", "linda@example.org", "to an idle client")
    line = client.readline()
    while b" EXISTS" not in line:
        line = client.readline()
    client.send(b"DONE\r\n")
    while not client.readline().startswith(b"i OK"):
        pass
    raw = client.fetch(str(count + 1), "BODY.PEEK[HEADER]")[1][0][1].decode()
    client.logout()
    return {"refused": refused, "exists": line.decode().strip() == f"* {count + 1} EXISTS", "header": raw}


def login(port: int, user: str, password: str) -> str:
    with submission(port) as client:
        return answer(lambda: client.login(user, password))


def submit(port: int, sender: str, recipient: str, subject: str) -> str:
    client = submission(port)
    client.login("linda@example.org", PASSWORD)
    return send(client, sender, recipient, subject)


def sent(subject: str) -> str:
    """The message with *subject* that left this machine."""
    return until(
        lambda: next((text for file in SENT.iterdir() if f"Subject: {subject}" in (text := file.read_text())), None)
    )


def received(user: str, subject: str) -> bool:
    client = imap(user)
    client.select()
    found = until(lambda: client.noop() and client.search(None, "SUBJECT", f'"{subject}"')[1][0])
    client.logout()
    return bool(found)


def use() -> dict[str, Any]:
    """What each part of the server does."""
    SENT.mkdir()
    SENT.chmod(0o777)
    subprocess.Popen(["smtp-sink", "-u", "postfix", "-d", f"{SENT}/%M.", SINK, "10"])
    seen: dict[str, Any] = {"idle": wake_an_idle_client()}
    seen["unknown"] = send(outside(), "ada@example.net", "nobody@example.org")
    seen["relay"] = send(outside(), "ada@example.net", "ada@example.com")
    seen["alias"] = send(outside(), "ada@example.net", "Family+x@example.org", "for the family")
    seen["both"] = [received(f"{name}@example.org", "for the family") for name in ("linda", "deniz")]
    for port in (587, 465):
        seen[f"submitted {port}"] = submit(port, "linda@example.org", "ada@example.net", f"answer by {port}")
        seen[f"left {port}"] = sent(f"answer by {port}")
    seen["forged"] = submit(587, "deniz@example.org", "ada@example.net", "forged")
    seen["as alias"] = submit(587, "family@example.org", "ada@example.net", "by an alias")
    seen["within"] = submit(465, "linda@example.org", "deniz@example.org", "at home")
    seen["arrived within"] = received("deniz@example.org", "at home")
    seen["without login"] = send(submission(587), "linda@example.org", "ada@example.net")
    seen["wrong password"] = login(587, "linda@example.org", "wrong")
    seen["local root"] = send(smtplib.SMTP("127.0.0.1", 25), "cron@example.net", "root@mail.example.org", "from cron")
    seen["root's mail"] = received("linda@example.org", "from cron")
    return seen


def change() -> dict[str, Any]:
    """What changes while all runs counts at once; and what Postfix says while mektup is away."""
    config = "--config /etc/mektup.toml"
    seen = {"before": send(outside(), "ada@example.net", "new@example.org")}
    paste(f"mektup user add new@example.org {config}")
    seen["after"] = send(outside(), "ada@example.net", "new@example.org")
    paste(f"mektup user remove --yes new@example.org {config}")
    seen["removed"] = send(outside(), "ada@example.net", "new@example.org")
    paste(f"mektup domain add example.com {config}")
    seen["new domain"] = send(outside(), "ada@example.net", "postmaster@example.com")
    paste("systemctl stop mektup")
    seen["away"] = send(outside(), "ada@example.net", "linda@example.org")
    paste("systemctl start mektup")
    seen["back"] = send(outside(), "ada@example.net", "linda@example.org")
    seen["login"] = submit(587, "linda@example.org", "deniz@example.org", "after a restart")
    return seen


def main() -> None:
    """Prints one JSON object."""
    machine.make()
    os.chdir("/root")
    seen: dict[str, Any] = {"shown": follow()}
    verified = subprocess.run(
        ["systemd-analyze", "verify", "/etc/systemd/system/mektup.service"], capture_output=True, text=True
    )
    seen["verified"] = [verified.returncode, verified.stderr]
    seen |= use()
    seen |= change()
    seen["log"] = Path("/var/log/mektup.log").read_text(encoding="utf-8")
    seen["files"] = {name: Path(name).read_text(encoding="utf-8") for name in ("config-v1.1.xml", "linda.mobileconfig")}
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
