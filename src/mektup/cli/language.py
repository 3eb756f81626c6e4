"""The language of the command line: that of LC_ALL, LC_MESSAGES or LANG, as GNU gettext has it."""

from __future__ import annotations

import gettext
from gettext import NullTranslations
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mektup.cli import texts
from mektup.locale import DIRECTORY, DOMAIN, translation_of
from mektup.terms.texts import ENGLISH, Text, say


def told(text: Text) -> str:
    """*text* in the language of the user."""
    return say(text, translation_of())


class Command(TyperCommand):
    """A command whose help is in the language of the user, with the words that the library adds."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the line of the usage."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), told(texts.USAGE))

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help."""
        return _explained(super().get_help_option(ctx))


class Group(TyperGroup):
    """The same for a command with subcommands."""

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
