"""Every target of the fuzzer holds for good input and for some mutated input; and a faulty target is found out."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reliability.fuzz import engines, findings, growth, table
from reliability.fuzz.judge import Finding, Judge
from reliability.fuzz.mutation import Mutator
from reliability.fuzz.running import Outcome
from reliability.fuzz.target import Target, pieces, require
from reliability.fuzz.targets import TARGETS

IN_THIS_PROCESS = {name: target for name, target in TARGETS.items() if target.is_guided}

every_target = pytest.mark.parametrize("target", IN_THIS_PROCESS.values(), ids=IN_THIS_PROCESS)


def judged(target: Target, inputs: list[bytes]) -> list[Finding]:
    """The findings of *inputs*."""
    found: list[Finding] = []
    judge = Judge(target, found.append)
    for octets in inputs:
        judge.run(octets)
    return found


def faulty(run: Callable[[bytes], None]) -> Target:
    return Target("faulty", "has a fault", run, lambda: [b"good"], [b"x"])


@every_target
def test_good_input(target: Target) -> None:
    assert not judged(target, list(islice(target.seeds(), 40)))


@every_target
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutated_input(target: Target, seed: int) -> None:
    mutator = Mutator(random.Random(seed), list(islice(target.seeds(), 300)), target.words, target.longest)
    for _ in range(3):
        target.run(mutator.made())


@every_target
@settings(max_examples=20, deadline=None)
@given(octets=st.binary(max_size=300))
def test_any_octets(target: Target, octets: bytes) -> None:
    target.run(octets)


def test_a_seed_repeats_its_inputs() -> None:
    def made() -> list[bytes]:
        mutator = Mutator(random.Random(7), [b"a1 NOOP\r\n", b"b 12"], [b"SEARCH", b"("], 50)
        return [mutator.made() for _ in range(200)]

    assert made() == made()
    assert max(map(len, made())) <= 50


@given(st.binary(max_size=300))
def test_pieces_are_the_whole(octets: bytes) -> None:
    assert b"".join(pieces(octets)) == octets
    assert pieces(octets) == pieces(octets)


@pytest.mark.parametrize("most", [1, 150])
def test_a_bounded_run_tries_so_many_inputs_and_the_same_ones_each_time(most: int) -> None:
    def tried() -> list[bytes]:
        inputs: list[bytes] = []
        engines.mutate(Judge(faulty(inputs.append), lambda _: None), random.Random(1), 60.0, most)
        return inputs

    first = tried()
    assert most <= len(first) < most + engines.AT_ONCE
    assert tried() == first


def test_the_closing_lines_show_the_input_of_a_finding(tmp_path: Path) -> None:
    path = findings.write(tmp_path, Finding("dates", "Broken", "why", bytes(300)))
    outcome = Outcome("dates", found=[{"kind": "Broken", "path": str(path)}])
    (line,) = table.findings([Outcome("sets"), outcome])
    assert line == f"finding: dates: Broken: 300 octets, {bytes(table.SHOWN_BYTES)!r}"


def test_an_exception_is_a_finding_once_for_each_place() -> None:
    def run(octets: bytes) -> None:
        int(octets) if octets.startswith(b"1") else require(len(octets) < 3, "short")

    found = judged(faulty(run), [b"1x", b"12y", b"abc", b"abcd", b"1"])
    assert [each.octets for each in found] == [b"1x", b"abc"]
    assert len({each.name for each in found}) == 2


@pytest.mark.parametrize(("power", "found"), [(1.0, []), (1.1, []), (2.0, ["time grows faster than n log n"])])
def test_time_that_grows_like_n_squared_is_a_finding(power: float, found: list[str]) -> None:
    class Timed(Judge):
        """Tells a time that depends only on the size."""

        def run(self, octets: bytes) -> float:
            super().run(octets)
            return len(octets) ** power / 1e6

    findings: list[Finding] = []
    growth.check(Timed(faulty(lambda octets: None), findings.append), "x", lambda size: b"x" * size)
    assert [each.kind.partition(" in ")[0] for each in findings] == found
