"""The command: starts the server, puts the mail in, and says what to try."""

from __future__ import annotations

import asyncio
from importlib.resources import files

import typer
from rich.console import Console
from rich.table import Table

from mektup.cli import texts
from mektup.cli.complaints import complaints
from mektup.cli.language import Command, told
from mektup.server.app import Server
from mektup.server.config import DEFAULT_LISTEN
from mektup.server.run import raise_descriptor_limit, stop_requested
from mektup.store import system

USER, PASSWORD = "linda", "Pa$$123"

WORDS = {
    "imap": texts.DEMO_IMAP,
    "imaps": texts.DEMO_IMAPS,
    "pop3": texts.DEMO_POP3,
    "pop3s": texts.DEMO_POP3S,
    "lmtp": texts.DEMO_LMTP,
}


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("demo", help=str(texts.DEMO), cls=Command)(demo)


def demo() -> None:
    """Runs the command."""
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
        table.add_row(told(words), f"{host}:{port}")
    table.add_row(told(texts.DEMO_ACCOUNT), USER)
    table.add_row(told(texts.DEMO_PASSWORD), PASSWORD)
    host, port = server.address("imap")
    console.print(f"[bold]mektup demo[/bold]: {told(texts.DEMO_IS)}\n")
    console.print(table)
    console.print(f"\n{told(texts.DEMO_TRY)}\n\n    telnet {host} {port}")
    console.print(f"    A001 LOGIN {USER} {PASSWORD}\n", markup=False)
    console.print(told(texts.DEMO_STOP))
