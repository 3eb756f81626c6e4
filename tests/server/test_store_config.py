"""The table ``[store]``: its values, what is refused, and that no password is shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mektup import Server
from mektup.server import config
from mektup.server.config import ConfigError
from mektup.server.store_config import ON_FILES, Engine, StoreConfig, StoreTable, masked

ROOT = Path(__file__).parents[2]
DSN = "postgresql://mektup:Pa$$123@db.example.org/mektup"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mektup.toml"


def load(file: Path, store: str) -> StoreConfig:
    file.write_text(f"[store]\n{store}")
    return config.load(file).store


def postgres(file: Path, more: str = "", directory: str = DSN, shards: str = f'a = "{DSN}"') -> StoreConfig:
    return load(file, f'engine = "postgres"\ndirectory = "{directory}"\n{more}\n[store.shards]\n{shards}')


def test_mail_is_in_files_by_default(file: Path) -> None:
    file.write_text("")
    assert config.load(file).store == ON_FILES == load(file, 'engine = "sqlite"')
    assert ON_FILES.engine is Engine.SQLITE


def test_a_table_with_every_key(file: Path) -> None:
    found = postgres(
        file,
        """
        bus = "nats://tok@one:4222, tls://two:4222"
        objects = "s3://mail/here?endpoint=http://127.0.0.1:8333"
        connections = 9
        patience_seconds = 2.5
        inline_bytes = 0
        keep_deleted_days = 30
        """,
        shards=f'a = "{DSN}"\nb-2 = "host=db user=mektup dbname=\'my mail\'"',
    )
    assert found == StoreConfig(
        engine=Engine.POSTGRES,
        directory=DSN,
        shards={"a": DSN, "b-2": "host=db user=mektup dbname='my mail'"},
        bus=("nats://tok@one:4222", "tls://two:4222"),
        objects="s3://mail/here?endpoint=http://127.0.0.1:8333",
        connections=9,
        patience_seconds=2.5,
        inline_bytes=0,
        keep_deleted_days=30,
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('engine = "mysql"', "store.engine: invalid value 'mysql'; allowed: 'sqlite', 'postgres'"),
        ('engine = "postgres"', "store.directory: expected a connection string"),
        (f'engine = "postgres"\ndirectory = "{DSN}"', "store.shards: expected at least one shard"),
        ("connections = 9", 'store.connections: expected this key only with engine = "postgres"'),
        (f'shards = {{ a = "{DSN}" }}', 'store.shards: expected this key only with engine = "postgres"'),
        ("shard = 1", "unknown key store.shard; did you mean store.shards?"),
    ],
)
def test_what_cannot_be_is_named(file: Path, written: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(file, written)
    assert said in str(refused.value)
    assert "Pa$$" not in str(refused.value)


@pytest.mark.parametrize("name", ["A", "", "a b", "a" * 33, "-a", "ş"])
def test_a_shard_has_a_plain_name(file: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.shards"):
        postgres(file, shards=f'"{name}" = "{DSN}"')


@pytest.mark.parametrize(
    "dsn",
    [
        "db.example.org",
        "mysql://mektup:Pa$$123@db/mektup",
        "postgresql://mektup:Pa$$@123@db/mektup",
        "host=db password=Pa$$123 and more",
        "password='Pa$$123",
        "host=db password=Pa$$123\\u0007",
        "",
    ],
)
def test_a_connection_string_that_cannot_be_is_not_shown(file: Path, dsn: str) -> None:
    for key, given in (("directory", {"directory": dsn}), ("shards.a", {"shards": f'a = "{dsn}"'})):
        with pytest.raises(ConfigError) as refused:
            postgres(file, **given)
        assert f"store.{key}" in str(refused.value)
        assert "Pa$$" not in str(refused.value)


@pytest.mark.parametrize("bus", ["redis://tok@one", "nats://linda:Pa$$@123@one", "one:4222", "nats://one,", "nats://"])
def test_a_bus_is_one_of_nats(file: Path, bus: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.bus: expected URLs of NATS servers") as refused:
        postgres(file, f'bus = "{bus}"')
    assert "Pa$$" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "good", "wrong"),
    [
        ("connections", ["1", "100"], ["0", "101"]),
        ("patience_seconds", ["0.1", "2000000"], ["0", "2000000000.5", "nan"]),
        ("inline_bytes", ["0", "1073741824"], ["-1", "1073741825"]),
        ("keep_deleted_days", ["0", "0.5", "3650"], ["-1", "nan", "1000000"]),
    ],
)
def test_numbers_have_bounds(file: Path, key: str, good: list[str], wrong: list[str]) -> None:
    for number in good:
        assert getattr(postgres(file, f"{key} = {number}"), key) == float(number)
    for number in wrong:
        with pytest.raises(ConfigError, match=rf"store\.{key}: expected a number from"):
            postgres(file, f"{key} = {number}")


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        (DSN, "postgresql://mektup:***@db.example.org/mektup"),
        ("postgresql://mektup@db/mail?sslmode=require", "postgresql://mektup@db/mail?sslmode=require"),
        ("postgresql://db/mail?password=Pa$$&user=a", "postgresql://db/mail?password=***&user=a"),
        ("host=db password=Pa$$ user=a", "host=db password=*** user=a"),
        ("host=db password = 'P a\\' $' user=a", "host=db password = *** user=a"),
        ("nats://tok@one:4222,tls://linda:Pa$$@two", "nats://***@one:4222,tls://linda:***@two"),
        ("nats://one:4222", "nats://one:4222"),
    ],
)
def test_passwords_are_masked(whole: str, shown: str) -> None:
    assert masked(whole) == shown


def test_no_password_is_in_the_text_of_a_configuration(file: Path) -> None:
    assert "Pa$$" not in repr(postgres(file, 'bus = "nats://linda:Pa$$123@one"'))


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.partition("\n## `[store]`\n")[2].partition("\n## ")[0]
    assert [name for name in StoreTable.__struct_fields__ if f"| `{name}` |" not in section] == []
    assert {field.name for field in dataclasses.fields(StoreConfig)} == set(StoreTable.__struct_fields__)


def test_a_program_gives_the_same_table(tmp_path: Path) -> None:
    store = {"engine": "postgres", "directory": DSN, "shards": {"a": DSN}}
    assert Server(tmp_path, store=store)._config.store == StoreConfig(
        engine=Engine.POSTGRES, directory=DSN, shards={"a": DSN}
    )
    for wrong, said in (
        ({"engine": "postgres", "directory": "Pa$$123"}, "store.shards"),
        ({"engin": "postgres"}, "store.engin"),
        ({"engine": "postgres", "connections": "4"}, "store.connections"),
    ):
        with pytest.raises(ConfigError) as refused:
            Server(tmp_path, store=wrong)
        assert said in str(refused.value)
        assert "Pa$$" not in str(refused.value)
    with pytest.raises(ConfigError, match="data: a data directory is needed"):
        Server(store=store)
