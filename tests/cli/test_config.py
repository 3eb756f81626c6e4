"""``mektup config``: all keys, and an output that is the same configuration."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.cli import toml_text
from mektup.server import config as configuration
from mektup.server.config_keys import keys
from mektup.terms.limits import Limits
from tests.readme.document import ROOT

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

EVERYTHING = """
data = "mail/here"
administrators = ["ada", "linda@example.org"]
contact = "mailto:ada@example.org"
compression = 3
[listen]
imap = ["*:143", "[::1]:1143"]
lmtp = ["unix:run/lmtp"]
[proxy_from]
lmtp = ["unix"]
imap = ["10.0.0.0/8"]
[hide]
"*:143" = ["SORT"]
imaps = ["COMPRESS=DEFLATE"]
[tls]
cert = "c.pem"
key = "/k.pem"
client_ca = "../ca.pem"
client_name = "email"
[auth]
plaintext = "never"
trusted = ["unix", "192.0.2.1"]
[oauth]
issuer = "https://login.example.org"
jwks = "keys.json"
audience = "imap"
[store]
engine = "postgres"
directory = "host=/run/postgresql dbname='my mail' user=mektup"
bus = "nats://one.example.org:4222, nats://two.example.org:4222"
objects = "s3://mail"
connections = 8
keep_deleted_days = 30
[store.shards]
a = "postgresql://mektup@db.example.org/a?sslmode=require"
b-2 = "postgresql://mektup@db.example.org/b"
[log]
file = "logs/mektup.log"
slow_command_seconds = 0.5
[quota]
storage = "5 GiB"
messages = 0
[tuning]
busy_poll = false
[limits]
sync_flags = true
login_seconds = 7.5
"""


def mektup(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mektup", *map(str, words)], capture_output=True, text=True, timeout=50
    )


def shown(*words: str | Path) -> str:
    done = mektup("config", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ["", EVERYTHING, *EXAMPLES])
def test_the_output_is_the_same_configuration(text: str, tmp_path: Path) -> None:
    file = tmp_path / "one" / "mektup.toml"
    file.parent.mkdir()
    file.write_text(text)
    loaded = configuration.load(file)
    again = tmp_path / "other.toml"
    again.write_text(shown("--config", file))
    assert configuration.load(again) == loaded
    bare = [line.partition("  # ")[0] for line in shown("--config", again).splitlines()]
    assert bare == [line.partition("  # ")[0] for line in again.read_text().splitlines()], "and once more"


def test_the_defaults_are_the_same_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text(shown("--defaults"))
    (tmp_path / "empty.toml").write_text("")
    assert configuration.load(file) == configuration.load(tmp_path / "empty.toml")


def test_each_value_says_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text('data = "here"\n[limits]\nline_bytes = 1000\n[listen]\nimap = ["*:143"]\n')
    lines = shown("--config", file).splitlines()
    assert f'data = "{tmp_path}/here"  # {file}' in lines
    assert f"line_bytes = 1000  # {file}" in lines
    assert "literals = 1000  # default" in lines
    assert f"pop3 = []  # {file}" in lines, "the table is there, so POP3 is off"
    assert "# cert =  # none" in lines


def test_as_json(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text("workers = 3\n")
    found = json.loads(shown("--json", "--config", file))
    assert found["workers"] == {"value": 3, "default": 0, "set": True}
    assert found["limits.line_bytes"] == {"value": 262144, "default": 262144, "set": False}
    assert found["tls.cert"] == {"value": None, "default": None, "set": False}
    assert json.loads(shown("--json", "--defaults"))["auth.plaintext"] == "loopback"


def test_one_key_or_one_table() -> None:
    assert shown("workers").splitlines() == ["workers = 0  # default"]
    assert set(json.loads(shown("lmtp", "--json"))) == {"lmtp.trace", "lmtp.detail_folders"}
    done = mektup("config", "worker")
    assert (done.returncode, done.stderr) == (2, "mektup: there is no key worker; mektup config shows all\n")


def test_a_file_that_the_server_refuses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mektup.toml").write_text("workers = -1\n")
    done = mektup("config", "--config", tmp_path / "mektup.toml")
    assert done.returncode == 1
    assert "workers" in done.stderr
    assert mektup("config", "--defaults", "--data", tmp_path).returncode == 2


def test_every_key_is_documented_with_its_default() -> None:
    described = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \|", PAGE, re.MULTILINE)
    defaults: dict[str, set[str]] = {}
    for names, default in described:
        for name in names.replace("`", "").split(", "):
            defaults.setdefault(name, set()).add(default.strip("`"))
    wrong = []
    for key in keys(None):
        written = "required" if key.required else "none" if key.default is None else toml_text.value(key.default)
        if isinstance(key.default, dict):
            assert f"## `[{key.full}]`" in PAGE
        elif written not in defaults.get(key.name, set()):
            wrong.append((key.full, written, defaults.get(key.name)))
    assert not wrong


def test_all_limits_are_there() -> None:
    found = {key.name for key in keys(None) if key.table == "limits"}
    assert found == {field.name for field in dataclasses.fields(Limits)}


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_value_is_written_as_toml(table: dict[str, object]) -> None:
    text = "\n".join(f"{toml_text.key(name)} = {toml_text.value(value)}" for name, value in table.items())
    assert tomllib.loads(text) == table
