"""``mektup completion``: what shells complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import mektup

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

installed = pytest.mark.skipif(
    not Path(sys.executable).with_name("mektup").exists(), reason="the command mektup is not installed"
)


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def data(tmp_path: Path) -> str:
    for name in ("linda@example.org", "lina", "ada"):
        done = mektup("user", "add", name, "--password-stdin", "--data", str(tmp_path / "data"), typed="x\n")
        assert done.status == 0
    return str(tmp_path / "data")


def bash(line: str, *words: str) -> list[str]:
    """What bash offers after *line*, which it has divided into *words*."""
    script = (
        'source <(mektup completion bash); COMP_LINE=$1; COMP_POINT=${#1}; COMP_WORDS=("${@:2}"); '
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mektup_completion mektup; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-ec", f"COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'; {script}", "bash", line, *words],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "PATH": PATH},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@installed
@needs("bash")
def test_bash_completes_commands_options_and_names(data: str) -> None:
    assert bash("mektup ser", "mektup", "ser") == ["serve"]
    assert bash("mektup user pas", "mektup", "user", "pas") == ["passwd"]
    assert "--config" in bash("mektup user passwd --co", "mektup", "user", "passwd", "--co")
    line = f"mektup user passwd --data {data} li"
    assert bash(line, *line.split()) == ["lina", "linda@example.org"]


@installed
@needs("bash")
def test_bash_divides_words_at_signs_that_names_have(data: str) -> None:
    start = f"mektup user passwd --data {data}"
    assert bash(f"{start} linda@ex", *start.split(), "linda", "@", "ex") == ["example.org"]


@installed
@needs("fish")
def test_fish_completes_names(data: str, tmp_path: Path) -> None:
    script = f"mektup completion fish | source; complete -C 'mektup user passwd --data {data} linda'"
    said = subprocess.check_output(
        ["fish", "--no-config", "-c", script],
        text=True,
        timeout=50,
        env={**os.environ, "PATH": PATH, "HOME": str(tmp_path)},
    )
    assert said.splitlines() == ["linda@example.org"]


@needs("zsh")
def test_zsh_reads_the_script(tmp_path: Path) -> None:
    (tmp_path / "_mektup").write_text(mektup("completion", "zsh").stdout)
    subprocess.run(["zsh", "-n", tmp_path / "_mektup"], check=True, timeout=50)
    assert (tmp_path / "_mektup").read_text().startswith("#compdef mektup\n")


def asked(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """What this program answers to a shell that asks what could follow *line*."""
    monkeypatch.setenv("_MEKTUP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    return mektup().stdout.split()


def test_the_data_directory_may_be_named_by_a_configuration(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text('data = "data"')
    assert asked(monkeypatch, f"mektup user show --config {file} a") == ["ada"]
    assert asked(monkeypatch, f"mektup who --config {file} lin") == ["lina", "linda@example.org"]


@pytest.mark.parametrize("option", ["--config nowhere.toml", "--data nowhere", ""])
def test_what_cannot_be_read_has_no_names(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked(monkeypatch, " ".join(f"mektup user show {option} a".split())) == []
    assert not list(tmp_path.iterdir())
