"""A Thunderbird with one account, driven by Marionette."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients.programs import Program
from tests.clients.served import HOST
from tests.desktop.marionette import Marionette

PREFERENCES = {
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.biff.show_alert": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "network.proxy.type": 0,
    "services.settings.server": "http://127.0.0.1:9",
}
"""Without questions at the start, and without connections to anybody else."""

PRELUDE = """
    const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
    const server = MailServices.accounts.allServers.find(each => each.type == "imap");
    const named = name => server?.rootFolder.descendants.find(
        each => each.QueryInterface(Ci.nsIMsgImapMailFolder).onlineName == name);
    const shown = name => server?.rootFolder.descendants.find(each => (each.localizedName ?? each.name) == name);
    const messages = folder => [...folder.messages];
    const subjects = folder => messages(folder).map(each => each.mime2DecodedSubject).sort();
    const listening = start => new Promise((resolve, reject) => start({
        OnStartRunningUrl() {},
        OnStopRunningUrl(url, status) { status ? reject(new Error(`status ${status}`)) : resolve(); },
        onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {},
        onStopCopy(status) { status ? reject(new Error(`status ${status}`)) : resolve(); },
        QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener"]),
    }));
    const fresh = folder => folder.updateFolder(null);
"""
"""What all scripts may use."""


class Thunderbird:
    """A running Thunderbird. Folders are named as on the server."""

    def __init__(self, marionette: Marionette) -> None:
        self.marionette = marionette

    def set_up(self, name: str, password: str, port: int, *, tls: bool = True) -> None:
        """Makes an account of the server at *port*, encrypted from the start or not, and waits for its folders."""
        self.run(
            """
            const made = MailServices.accounts.createIncomingServer(a, b, "imap");
            made.port = c;
            made.socketType = e ? Ci.nsMsgSocketType.SSL : Ci.nsMsgSocketType.plain;
            made.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
            made.password = d;
            const account = MailServices.accounts.createAccount();
            account.incomingServer = made;
            const identity = MailServices.accounts.createIdentity();
            identity.email = `${a}@example.org`;
            account.addIdentity(identity);
            made.performExpand(null);
            """,
            name,
            HOST,
            port,
            password,
            tls,
        )
        self.until("return Boolean(named('INBOX') && named('Trash'));")

    def run(self, script: str, *arguments: object) -> object:
        """As Marionette.run, with the names of ``PRELUDE``."""
        return self.marionette.run(PRELUDE + script, *arguments)

    def until(self, script: str, *arguments: object) -> object:
        """As Marionette.until, with the names of ``PRELUDE``."""
        return self.marionette.until(PRELUDE + script, *arguments)

    def until_subjects(self, folder: str, subjects: Sequence[str]) -> None:
        """Waits until the folder has these messages, in any order."""
        script = """
            const folder = named(a);
            if (!folder) { server.performExpand(null); return false; }
            fresh(folder);
            return JSON.stringify(subjects(folder)) == JSON.stringify(b);
        """
        self.until(script, folder, sorted(subjects))

    def show(self, folder: str) -> None:
        """Opens the folder in the window, as a click on it does."""
        self.run("window.gTabmail.currentAbout3Pane.displayFolder(named(a).URI);", folder)


@contextmanager
def running(program: Program, display: str, picture: Path) -> Iterator[Thunderbird]:
    """A Thunderbird with the profile in its home, or a new one. If the test fails, *picture* shows its window."""
    profile = program.home / "profile"
    profile.mkdir(exist_ok=True)
    port = _free_port()
    written = {**PREFERENCES, "marionette.port": port}
    lines = (f"user_pref({_quoted(name)}, {_quoted(value)});\n" for name, value in written.items())
    (profile / "user.js").write_text("".join(lines))
    options = ["--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile)]
    environment = {**os.environ, "DISPLAY": display, "HOME": str(program.home), "LC_ALL": "C.UTF-8"}
    with (program.home / "output").open("wb") as output:
        process = subprocess.Popen([program.path, *options], stdout=output, stderr=output, env=environment)
    try:
        marionette = Marionette(port)
        try:
            yield Thunderbird(marionette)
        except BaseException:
            marionette.picture(picture)
            raise
        marionette.command("Marionette:Quit", flags=["eForceQuit"])
        marionette.close()
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _quoted(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
