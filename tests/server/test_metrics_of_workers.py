"""The metrics of several workers: sums over all of them, which never go back, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .process import Process, serving
from .test_workers import login, login_on_both, until, with_linda, worker_of

Sample = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    directory = with_linda(tmp_path_factory.mktemp("two"))
    with serving(directory, workers=2, alone=False) as made:
        yield made


def scrape(process: Process) -> dict[Sample, float]:
    page = urlopen(f"http://127.0.0.1:{process.ports['metrics']}/metrics", timeout=10).read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(samples: dict[Sample, float], name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def noops(samples: dict[Sample, float]) -> float:
    return samples.get(("mektup_commands_total", (("command", "NOOP"), ("protocol", "imap"))), 0.0)


def counters(samples: dict[Sample, float]) -> dict[Sample, float]:
    """What must never go back."""
    return {key: value for key, value in samples.items() if key[0].endswith(("_total", "_count", "_bucket", "_sum"))}


def assert_none_went_back(before: dict[Sample, float], after: dict[Sample, float]) -> None:
    went_back = {key: (value, after.get(key)) for key, value in counters(before).items() if after.get(key, -1) < value}
    assert not went_back


def test_workers_are_added_up(process: Process) -> None:
    before = scrape(process)
    clients = login_on_both(process)
    after = scrape(process)
    assert value(after, "mektup_sessions", protocol="imap", state="authenticated") == 2
    for name in ("mektup_logins_total", "mektup_connections_total"):
        assert value(after, name, protocol="imap") - value(before, name, protocol="imap") >= 2
    assert value(after, "mektup_workers_up") == value(after, "mektup_workers") == 2
    for worker in ("0", "1", "parent"):
        assert value(after, "process_resident_memory_bytes", worker=worker) > 1e6
    for worker in ("0", "1"):
        until(lambda worker=worker: value(scrape(process), "mektup_loop_delay_seconds_count", worker=worker) >= 1)
    for client in clients:
        client.logout()


def test_no_counter_goes_back_when_a_worker_is_killed(process: Process) -> None:
    victim, survivor = login_on_both(process)
    for _ in range(5):
        victim.noop()
    before = scrape(process)
    dead = worker_of(victim, process)
    number = "0" if process.workers().index(dead) == 0 else "1"
    os.kill(dead, signal.SIGKILL)
    process.until("worker_died")
    assert_none_went_back(before, scrape(process))
    until(lambda: value(scrape(process), "mektup_workers_up") == 2)
    after = scrape(process)
    assert_none_went_back(before, after)
    assert noops(after) == noops(before)
    restarts = {each: value(after, "mektup_worker_restarts_total", worker=each) for each in ("0", "1")}
    assert sorted(restarts.values()) == [0, 1]
    assert value(after, "mektup_worker_hangs_total", worker=number) == 0
    # gauges are only of the workers that live
    assert value(after, "mektup_sessions", protocol="imap", state="authenticated") == 1
    survivor.noop()
    victim.shutdown()
    survivor.logout()


def test_a_worker_that_is_told_to_end_leaves_all_that_it_has_counted(process: Process) -> None:
    client = login(process)
    before = scrape(process)
    for _ in range(7):
        client.noop()
    since = len(process.log)
    os.kill(worker_of(client, process), signal.SIGTERM)
    process.until("worker_died", since)
    after = scrape(process)
    assert_none_went_back(before, after)
    assert noops(after) == noops(before) + 7
    until(lambda: value(scrape(process), "mektup_workers_up") == 2)
    client.shutdown()


def test_no_counter_goes_back_at_a_reload(process: Process) -> None:
    client = login(process)
    before = scrape(process)
    since = len(process.log)
    process.signal(signal.SIGHUP)
    process.until("reloaded", since)
    client.noop()
    assert_none_went_back(before, scrape(process))
    client.logout()


def test_a_worker_that_hangs_keeps_its_counters_and_is_counted(tmp_path: Path) -> None:
    impatient = "[limits]\nworker_silence_seconds = 3.0\n"
    with serving(with_linda(tmp_path), workers=2, more=impatient, alone=False) as process:
        client, other = login_on_both(process)
        before = scrape(process)
        os.kill(worker_of(client, process), signal.SIGSTOP)
        assert_none_went_back(before, scrape(process))
        process.until("worker_died")
        until(lambda: value(scrape(process), "mektup_workers_up") == 2)
        after = scrape(process)
        assert_none_went_back(before, after)
        for name in ("hangs", "restarts"):
            assert sorted(value(after, f"mektup_worker_{name}_total", worker=each) for each in ("0", "1")) == [0, 1]
        assert other.noop()[0] == "OK"
        client.shutdown()
        other.logout()
