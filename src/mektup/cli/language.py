"""The language of the command line: that of LC_ALL, LC_MESSAGES or LANG, as GNU gettext has it."""

from __future__ import annotations

import contextlib
import gettext
import re
from collections.abc import Iterator
from gettext import NullTranslations
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from mektup.cli import texts
from mektup.locale import DIRECTORY, DOMAIN, translation_of
from mektup.terms.texts import ABOUT, AND_SO, ENGLISH, Text, say

USAGE_ERROR: Any = typer.BadParameter.__base__
"""What the library raises for a wrong command line."""

_NO_COMMAND = re.compile(r"No such command '(.*?)'")
_TOO_MUCH = re.compile(r"Got unexpected extra argument\S* \((.*)\)")
"""Messages of the library for which it has no class."""

COMPLETES = "_MEKTUP_COMPLETE"
"""The variable by which a shell asks this program what could follow."""


def told(text: Text) -> str:
    """*text* in the language of the user."""
    return say(text, translation_of())


@contextlib.contextmanager
def wrong_usage_told() -> Iterator[None]:
    """Says in the language of the user what is wrong with a command line; the library says it in English."""
    try:
        yield
    except USAGE_ERROR as error:
        # without arguments, the library shows the help
        if translation_of() is ENGLISH or type(error).__name__ == "NoArgsIsHelpError":
            raise
        if error.ctx is not None:
            typer.echo(error.ctx.get_usage(), err=True)
            typer.echo(told(texts.TRY_HELP.of(command=error.ctx.command_path)), err=True)
            typer.echo(err=True)
        typer.echo(told(texts.COMPLAINT.of(problem=_what_is_wrong(error))), err=True)
        raise typer.Exit(error.exit_code) from None


def _what_is_wrong(error: Any) -> Text | str:
    """A sentence of ours for *error*; the library's own where there is none."""
    param = getattr(error, "param", None)
    name = getattr(param, "metavar", None) if isinstance(param, TyperArgument) else "/".join(getattr(param, "opts", ()))
    match type(error).__name__:
        case "NoSuchOption":
            near = ", ".join(error.possibilities or ())
            what = texts.NO_OPTION.of(name=error.option_name)
            return AND_SO.of(first=what, then=texts.NEAR.of(names=near)) if near else what
        case "MissingParameter":
            return texts.IS_MISSING.of(name=name)
        case "BadOptionUsage":
            return texts.NEEDS_A_VALUE.of(name=error.option_name)
        case "BadParameter":
            return ABOUT.of(place=name, problem=error.message)
    if found := _NO_COMMAND.match(error.message):
        return texts.NO_COMMAND.of(name=found[1])
    if found := _TOO_MUCH.match(error.message):
        return texts.TOO_MUCH.of(name=found[1])
    return str(error.message)


class Command(TyperCommand):
    """A command whose help is in the language of the user, with the words that the library adds."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Reads the arguments."""
        with wrong_usage_told():
            return super().make_context(info_name, args, parent, **extra)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the line of the usage."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), told(texts.USAGE))

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help."""
        return _explained(super().get_help_option(ctx))


class Group(TyperGroup):
    """The same for a command with subcommands."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Reads the arguments before the subcommand."""
        with wrong_usage_told():
            return super().make_context(info_name, args, parent, **extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the subcommand."""
        with wrong_usage_told():
            return super().resolve_command(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the line of the usage."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), told(texts.USAGE))

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help."""
        return _explained(super().get_help_option(ctx))


def _explained(option: Any) -> Any:
    if option is not None:
        option.help = told(texts.HELP)
    return option


def command_of(app: typer.Typer) -> Any:
    """The command that *app* describes, with its help in the language of the user."""
    command = typer.main.get_command(app)
    translation = translation_of()
    if translation is not ENGLISH:
        # the library looks its own words up in the domain of the process
        gettext.bindtextdomain(DOMAIN, DIRECTORY)
        gettext.textdomain(DOMAIN)
        _translate(command, translation)
    return command


def _translate(command: Any, translation: NullTranslations) -> None:
    for each in (command, *command.params):
        if getattr(each, "help", None):
            each.help = say(Text(each.help.replace("{", "{{").replace("}", "}}")), translation)
    for subcommand in getattr(command, "commands", {}).values():
        _translate(subcommand, translation)
