"""The commands of the command line, where mail is in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Done, mektup
from tests.support.postgres import NewDatabase


@pytest.fixture
def config(tmp_path: Path, new_database: NewDatabase) -> Path:
    database = new_database()
    file = tmp_path / "mektup.toml"
    file.write_text(f"""
data = "data"
[store]
engine = "postgres"
directory = "{database}"
shards = {{ a = "{database}" }}
""")
    return file


def add(config: Path, name: str) -> Done:
    return mektup("user", "add", name, "--password-stdin", "--config", str(config), typed="Pa$$123\n")


def test_accounts_are_those_of_the_database(config: Path, tmp_path: Path) -> None:
    done = add(config, "linda")
    assert (done.status, done.stdout) == (0, "added linda\n"), done.stderr
    assert add(config, "linda").status == 1
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().replace('"data"', '"data of another node"'))
    assert "linda" in mektup("user", "list", "--config", str(other)).stdout
    assert mektup("user", "remove", "linda", "--yes", "--config", str(other)).status == 0
    assert "linda" not in mektup("user", "list", "--config", str(config)).stdout


def test_domains_and_aliases_are_there_too(config: Path) -> None:
    add(config, "linda")
    for words in (("domain", "add", "example.org"), ("alias", "add", "info@example.org", "linda")):
        done = mektup(*words, "--config", str(config))
        assert done.status == 0, done.stderr
    assert "info@example.org" in mektup("alias", "list", "--config", str(config)).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--repair"),
        ("user", "compact", "--all"),
        ("backup", "copy", "there"),
        ("restore", "there"),
    ],
)
def test_what_works_on_files_says_so(config: Path, words: tuple[str, ...]) -> None:
    done = mektup(*words, "--config", str(config), where=config.parent)
    assert done.status == 2
    assert "works on the files of accounts" in done.stderr
    assert not (config.parent / "there").exists()


def test_a_directory_that_is_down_is_said_without_its_password(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text("""
data = "data"
[store]
engine = "postgres"
directory = "postgresql://linda:Pa$$123@127.0.0.1:9/mail"
shards = { a = "postgresql://linda:Pa$$123@127.0.0.1:9/mail" }
patience_seconds = 0.1
""")
    done = add(file, "linda")
    assert done.status == 1
    assert "cannot be reached" in done.stderr
    assert "Pa$$" not in done.stdout + done.stderr
