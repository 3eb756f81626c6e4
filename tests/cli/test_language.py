"""The command line speaks the language of LC_ALL, LC_MESSAGES or LANG."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mektup import locale
from mektup.locale import languages, translation_of, translation_to
from mektup.terms.texts import ENGLISH

TURKISH = {"LANG": "tr_TR.UTF-8"}


def mektup(*arguments: str, language: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """Runs ``mektup`` in a child process, with these variables of the language and no others."""
    environment = {
        name: value for name, value in os.environ.items() if name != "LANGUAGE" and not name.startswith(("LC_", "LANG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "mektup", *arguments],
        env={**environment, "PYTHONUTF8": "1", **language},
        input=typed,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def test_accounts_in_turkish(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "veri"))
    added = mektup("user", "add", "linda", "--password-stdin", *data, language=TURKISH, typed="Pa$$123\n")
    assert (added.returncode, added.stdout) == (0, "linda eklendi\n")
    again = mektup("user", "add", "linda", "--password-stdin", *data, language=TURKISH, typed="x\n")
    assert again.returncode == 1
    assert again.stderr == ("mektup: linda adlı bir hesap zaten var; parolasını mektup user passwd değiştirir\n")
    wrong = mektup("user", "add", "a@b@c", "--password-stdin", *data, language=TURKISH, typed="x\n")
    assert wrong.stderr == 'mektup: a@b@c bir hesap adı olamaz: birden çok "@" içeriyor\n'
    kept = mektup("user", "remove", "linda", *data, language=TURKISH, typed="n\n")
    assert kept.stdout == "linda ve bütün postası silinsin mi? [y/N]: "
    assert kept.stderr == "mektup: hiçbir şey silinmedi\n"


@pytest.mark.parametrize(
    "language", [{}, {"LANG": "C"}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "tr_TR.UTF-8"}]
)
def test_accounts_in_english(tmp_path: Path, language: dict[str, str]) -> None:
    data = ("--data", str(tmp_path / "data"))
    added = mektup("user", "add", "linda", "--password-stdin", *data, language=language, typed="Pa$$123\n")
    assert (added.returncode, added.stdout) == (0, "added linda\n")
    again = mektup("user", "add", "linda", "--password-stdin", *data, language=language, typed="x\n")
    assert again.stderr == "mektup: there is an account linda already; mektup user passwd changes its password\n"


def test_the_help_in_turkish() -> None:
    told = mektup("user", "add", "--help", language=TURKISH).stdout
    assert told.startswith("Kullanım: ")
    for words in ("klasörleriyle bir hesap ekler.", "Seçenekler:", "Sunucunun TOML dosyası.", "gösterir ve çıkar."):
        assert words in told
    assert "{PLAIN}" in mektup("user", "import", "--help", language=TURKISH).stdout
    assert "\nKomutlar:\n" in mektup("--help", language=TURKISH).stdout


def test_a_mistake_in_the_configuration_in_turkish(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    for written, told in (
        (
            "[limits]\nidle_secnds = 3",
            "limits.idle_secnds anahtarı bilinmiyor; limits.idle_seconds mi",
        ),
        ("workers = 'x'", "workers: tam sayı bekleniyordu, dize bulundu"),
        ('[listen]\nimap = ["::1:143"]', "IPv6 adresi köşeli ayraç içinde yazılır"),
    ):
        file.write_text(written)
        done = mektup("user", "list", "--config", str(file), language=TURKISH)
        assert done.returncode == 1
        assert done.stderr.startswith(f"mektup: {file}: ")
        assert told in done.stderr


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, None),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "xx_XX"}, None),
        ({"LANG": "tr_TR.UTF-8"}, "tr"),
        ({"LANG": "tr"}, "tr"),
        ({"LANG": "en_GB", "LC_MESSAGES": "tr_TR"}, "tr"),
        ({"LC_MESSAGES": "tr_TR", "LC_ALL": "en_GB"}, None),
        ({"LANG": "de_DE", "LANGUAGE": "xx:tr:en"}, "tr"),
        ({"LANG": "de_DE", "LANGUAGE": "en:tr"}, None),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "tr"}, "tr"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "en_US:tr"}, None),
        ({"LANG": "C", "LANGUAGE": "tr"}, None),
        ({"LANG": "C.UTF-8", "LANGUAGE": "tr"}, None),
        ({"LANG": "tr_TR", "LC_ALL": ""}, "tr"),
    ],
)
def test_the_environment_chooses_the_language(environment: dict[str, str], language: str | None) -> None:
    expected = ENGLISH if language is None else translation_to(language)
    assert expected is not None
    assert translation_of(environment).info() == expected.info()


def test_turkish_has_a_catalog_and_english_needs_none() -> None:
    assert "tr" in languages()
    assert "en" not in languages()
    assert translation_to("xx") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serv",), "mektup: serv diye bir komut yok\n"),
        (("serve", "--dta", "x"), "mektup: --dta diye bir seçenek yok; buna yakın: --data\n"),
        (("user", "add"), "mektup: NAME eksik\n"),
        (("serve", "--data"), "mektup: --data seçeneği bir değer ister\n"),
        (("user", "passwd", "a", "b"), "mektup: bu argümanlar fazla: b\n"),
    ],
)
def test_a_wrong_command_line_is_told_in_turkish(arguments: tuple[str, ...], said: str) -> None:
    done = mektup(*arguments, language=TURKISH)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage" not in done.stderr
    assert "Error" not in done.stderr
    assert done.stderr.endswith(said)


@pytest.mark.parametrize("size", [0, 3, 100, 5000])
def test_a_catalog_that_is_cut_short_is_english(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (locale.DIRECTORY / "tr" / "LC_MESSAGES" / "mektup.mo").read_bytes()
    short = tmp_path / "tr" / "LC_MESSAGES" / "mektup.mo"
    short.parent.mkdir(parents=True)
    short.write_bytes(whole[:size])
    monkeypatch.setattr(locale, "DIRECTORY", tmp_path)
    locale.translation_to.cache_clear()
    try:
        assert locale.translation_of({"LC_ALL": "tr_TR.UTF-8"}) is ENGLISH
        assert locale.languages() == ()
    finally:
        locale.translation_to.cache_clear()
