"""`.ci/run` runs the unit suite on every other CPython that it finds, and tries a few failed tests again, alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

PYTHONS = Path(__file__).parents[2] / ".ci" / "pythons"
OLDER = "0.0.1"
"""The version of Debian's Python in these tests."""


def program(path: Path, script: str) -> Path:
    """Writes an executable shell script to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def python_of(path: Path, version: str) -> Path:
    """A script that answers like a CPython of *version*."""
    return program(path, f"echo {version} {path}")


def found(tmp_path: Path, own: Path) -> list[str]:
    """The output lines of the script, with only the system's programs and ``tmp_path/bin`` on the PATH."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = f"{tmp_path / 'bin'}:{tmp_path / 'tools'}"
    for name in ("bash", "cut", "grep", "sort"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        (tmp_path / "tools" / name).symlink_to(f"/usr/bin/{name}")
    environment = {**os.environ, "PATH": path, "PYENV_ROOT": str(tmp_path / "pyenv")}
    done = subprocess.run(["/bin/bash", PYTHONS, own], env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return python_of(tmp_path / "own" / "python3", OLDER)


def test_versions_on_the_path_and_of_pyenv_are_found_once_each_and_oldest_first(tmp_path: Path, own: Path) -> None:
    on_path = python_of(tmp_path / "bin" / "python3.12", "3.12.10")
    python_of(tmp_path / "pyenv" / "versions" / "3.12.10" / "bin" / "python3", "3.12.10")
    third = python_of(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3", "3.13.0")
    first = python_of(tmp_path / "pyenv" / "versions" / "3.12.9" / "bin" / "python3", "3.12.9")
    assert found(tmp_path, own) == [f"3.12.9 {first}", f"3.12.10 {on_path}", f"3.13.0 {third}"]


def test_debians_own_version_is_no_other(tmp_path: Path, own: Path) -> None:
    python_of(tmp_path / "bin" / "python3.11", OLDER)
    assert found(tmp_path, own) == []


def test_programs_that_fail_or_are_no_interpreters_are_left_out(tmp_path: Path, own: Path) -> None:
    program(tmp_path / "bin" / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    python_of(tmp_path / "bin" / "python3.13-config", "3.13.0")
    (tmp_path / "bin" / "python3.14").write_text("not to be run", encoding="utf-8")
    assert found(tmp_path, own) == []


def test_no_python_is_found_without_any_and_without_pyenv(tmp_path: Path, own: Path) -> None:
    assert found(tmp_path, own) == []


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="of CPython")
def test_a_real_interpreter_says_its_version_and_where_it_is(tmp_path: Path, own: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.99").symlink_to(base)
    version, _, path = found(tmp_path, own)[0].partition(" ")
    assert version == platform.python_version()
    assert Path(path).exists()


STEPS = Path(__file__).parents[2] / ".ci" / "steps"

TESTS = """
from pathlib import Path

def test_good() -> None: pass
def test_first() -> None: {0}
def test_second() -> None: {1}
def test_third() -> None: {2}
def test_fourth() -> None: {3}
"""

FAILS = "assert 0"
FAILS_ONCE = "seen = Path('seen'); ran, _ = seen.exists(), seen.touch(); assert ran"


def ran(folder: Path, *bodies: str) -> list[str]:
    """The headings and results of a suite of four tests, and whether the whole failed."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_some.py").write_text(TESTS.format(*bodies), encoding="utf-8")
    (folder / "pytest").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pytest -ra "$@"\n')
    (folder / "pytest").chmod(0o755)
    script = f"""
    set -uo pipefail
    log=log last=last failed=0
    . {STEPS}
    suite "Python: make test" ./pytest tests ./pytest tests >/dev/null
    grep "^== " log
    echo "failed: $failed"
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=50
    )
    return done.stdout.splitlines()


def test_a_failed_test_that_passes_alone_is_named(tmp_path: Path) -> None:
    assert ran(tmp_path, FAILS_ONCE, "pass", "pass", "pass") == [
        "== Python: make test",
        "== again, alone: make test",
        "== failed beside others, passed alone: tests/test_some.py::test_first",
        "failed: 0",
    ]


def test_a_test_that_fails_alone_too_fails_the_gate(tmp_path: Path) -> None:
    assert ran(tmp_path, FAILS_ONCE, FAILS, "pass", "pass") == [
        "== Python: make test",
        "== again, alone: make test",
        "== failed: Python: make test",
        "failed: 1",
    ]


def test_many_failed_tests_are_not_tried_again(tmp_path: Path) -> None:
    assert ran(tmp_path, *[FAILS] * 4) == ["== Python: make test", "== failed: Python: make test", "failed: 1"]


def test_a_suite_that_did_not_begin_is_not_tried_again(tmp_path: Path) -> None:
    assert ran(tmp_path, "(", "pass", "pass", "pass") == [
        "== Python: make test",
        "== failed: Python: make test",
        "failed: 1",
    ]
