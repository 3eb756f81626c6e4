"""``mektup user quota``: shows what an account holds and may hold, and sets its limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain
from mektup.cli.language import told
from mektup.cli.opened_store import with_store
from mektup.cli.options import ConfigFile, DataDirectory, Name
from mektup.store.interface import Store
from mektup.store.quota import QuotaState
from mektup.terms.quota import Resource
from mektup.terms.sizes import octets_of, size_shown
from mektup.terms.texts import ABOUT, Text

UNLIMITED: Final = "none"

_LINES: Final = (
    (Resource.STORAGE, texts.STORAGE, size_shown),
    (Resource.MESSAGE, texts.MESSAGES, str),
    (Resource.MAILBOX, texts.MAILBOXES, str),
)


def quota(
    name: Name,
    storage: Annotated[str | None, typer.Option(metavar="SIZE", help=str(texts.QUOTA_STORAGE))] = None,
    messages: Annotated[str | None, typer.Option(metavar="NUMBER", help=str(texts.QUOTA_MESSAGES))] = None,
    mailboxes: Annotated[str | None, typer.Option(metavar="NUMBER", help=str(texts.QUOTA_MAILBOXES))] = None,
    default: Annotated[bool, typer.Option("--default", help=str(texts.QUOTA_DEFAULT))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs ``mektup user quota``."""
    given = {Resource.STORAGE: storage, Resource.MESSAGE: messages, Resource.MAILBOX: mailboxes}
    limits = {resource: _limit(resource, text) for resource, text in given.items() if text is not None}
    if default and limits:
        raise complain(texts.LIMITS_OR_DEFAULT, WRONG_USAGE)

    async def run(store: Store) -> None:
        entry = await store.directory.find(name)
        if entry is None:
            raise complain(texts.NO_ACCOUNT.of(name=name))
        account = await store.account(entry)
        state = await account.quota.state()
        if default or limits:
            state = await account.quota.set_limits({} if default else {**state.own, **limits})
        for resource, what, shown in _LINES:
            typer.echo(told(ABOUT.of(place=what, problem=_usage(state, resource, shown))))
        kept = await account.retention.kept()
        if kept.messages:
            line = texts.KEPT_LINE.of(count=kept.messages, size=size_shown(kept.octets))
            typer.echo(told(ABOUT.of(place=texts.EXPUNGED, problem=line)))

    with_store(data, config_file, run)


def _limit(resource: Resource, text: str) -> int | None:
    if text.lower() == UNLIMITED:
        return None
    if resource is not Resource.STORAGE:
        if not (text.isascii() and text.isdigit()):
            raise complain(texts.NO_NUMBER.of(text=text), WRONG_USAGE)
        return int(text)
    try:
        return octets_of(text)
    except ValueError:
        raise complain(texts.NO_SIZE.of(text=text), WRONG_USAGE) from None


def _usage(state: QuotaState, resource: Resource, shown: Callable[[int], str]) -> Text:
    used, most = shown(state.usage[resource]), state.limits.get(resource)
    if most is None:
        return texts.NO_LIMIT.of(used=used)
    if resource in state.own:
        return texts.OF_OWN.of(used=used, most=shown(most))
    return texts.OF_DEFAULT.of(used=used, most=shown(most))
