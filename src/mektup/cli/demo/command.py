"""The command: starts the server, puts the mail in, and says what to try."""

from __future__ import annotations

import asyncio
from importlib.resources import files

import typer
from rich.console import Console
from rich.table import Table

from mektup.cli.complaints import complaints
from mektup.server.app import Server
from mektup.server.config import DEFAULT_LISTEN
from mektup.server.run import raise_descriptor_limit, stop_requested
from mektup.store import system

USER, PASSWORD = "linda", "Pa$$123"

WORDS = {
    "imap": "IMAP, STARTTLS",
    "imaps": "IMAP over TLS",
    "pop3": "POP3, STLS",
    "pop3s": "POP3 over TLS",
    "lmtp": "LMTP, mail comes in here",
}


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("demo")(demo)


def demo() -> None:
    """Serve a demo: account linda, password Pa$$123, three messages. Nothing is kept when it stops."""
    raise_descriptor_limit()
    with complaints(), asyncio.Runner(loop_factory=system.new_event_loop) as runner:
        runner.run(_demo())


async def _demo() -> None:
    requested = stop_requested()
    server = Server(
        users={USER: PASSWORD},
        listen={service.value: texts for service, texts in DEFAULT_LISTEN.items()},
    )
    async with server:
        mail = files("mektup.cli.demo")
        for name in sorted(entry.name for entry in mail.iterdir() if entry.name.endswith(".eml")):
            await server.deliver(USER, mail.joinpath(name).read_bytes())
        _announce(server)
        await requested.wait()


def _announce(server: Server) -> None:
    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2))
    for service, words in WORDS.items():
        host, port = server.address(service)
        table.add_row(words, f"{host}:{port}")
    table.add_row("account", USER)
    table.add_row("password", PASSWORD)
    host, port = server.address("imap")
    console.print("[bold]mektup demo[/bold]: a mail server in memory, with three messages for linda\n")
    console.print(table)
    console.print(f"\nTry it in another terminal:\n\n    telnet {host} {port}")
    console.print(f"    A001 LOGIN {USER} {PASSWORD}\n", markup=False)
    console.print("Ctrl-C stops it, and nothing is kept.")
