"""``mektup completion``: prints a script that lets a shell complete commands, options, and names of accounts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mektup.cli import texts
from mektup.cli.language import COMPLETES, Command

BASH = r"""
_mektup_completion() {
    # an account's name may have an "@", at which bash divides words; so the words are taken from the whole line
    local line=${COMP_LINE:0:COMP_POINT} full strip="" breaks=${COMP_WORDBREAKS//[^@:=]/} parts word
    IFS=$' \t\n' read -ra parts <<< "$line"
    word=${#parts[@]}
    full=""
    if [[ $line != *[[:space:]] ]]; then
        word=$((word - 1))
        full=${line##*[[:space:]]}
    fi
    local IFS=$'\n'
    COMPREPLY=($(env COMP_WORDS="$line" COMP_CWORD=$word VARIABLE=complete_bash "$1"))
    if [[ -n $breaks ]]; then
        # bash puts what it gets after the last of these characters
        strip=${full%"${full##*[$breaks]}"}
        COMPREPLY=("${COMPREPLY[@]#"$strip"}")
    fi
}

complete -o default -F _mektup_completion mektup
"""

ZSH = r"""
#compdef mektup

_mektup_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" VARIABLE=complete_zsh mektup)"
}

compdef _mektup_completion mektup
"""

FISH = (
    "complete --command mektup --no-files "
    '--arguments "(env VARIABLE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args '
    '_TYPER_COMPLETE_ARGS=(commandline -cp) mektup)" '
    '--condition "env VARIABLE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args '
    '_TYPER_COMPLETE_ARGS=(commandline -cp) mektup"'
)


class Shell(StrEnum):
    """The shells that there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("completion", help=str(texts.COMPLETION), cls=Command)(completion)


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help=str(texts.SHELL))]) -> None:
    """Runs the command."""
    script = {Shell.BASH: BASH, Shell.ZSH: ZSH, Shell.FISH: FISH}[shell]
    typer.echo(script.strip().replace("VARIABLE", COMPLETES))
