"""Histograms of durations."""

from __future__ import annotations

import pytest

from mektup.terms.durations import BOUNDS, SECONDS, UNTIMED, Durations, count, no_counts


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.0001, 0), (0.00010001, 1), (0.2, 7), (10.0, 10), (10.1, 11), (1e6, 11)]
)
def test_a_duration_is_counted_in_the_bucket_whose_bound_it_does_not_pass(seconds: float, bucket: int) -> None:
    counts = no_counts()
    count(counts, seconds)
    assert [position for position, number in enumerate(counts[:UNTIMED]) if number] == [bucket]
    assert counts[SECONDS] == seconds


def test_the_buckets_reach_from_a_tenth_of_a_millisecond_to_ten_seconds() -> None:
    assert (BOUNDS[0], BOUNDS[-1]) == (0.0001, 10.0)
    assert list(BOUNDS) == sorted(BOUNDS)
    assert UNTIMED == len(BOUNDS) + 1


def test_names_begin_at_nothing() -> None:
    durations = Durations()
    durations["NOOP"][UNTIMED] += 1
    assert durations == {"NOOP": [*[0] * (len(BOUNDS) + 1), 1, 0.0]}
