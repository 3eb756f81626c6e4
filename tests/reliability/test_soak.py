"""What a soak concludes from what it measures."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from reliability.clients.line import Cut, Farewell
from reliability.soak.__main__ import seconds_of
from reliability.soak.gauge import clients_of, octets_of, size_of, slope
from reliability.soak.metrics import totals
from reliability.soak.scene import Durations, SoakScene


def test_a_slope_is_growth_in_an_hour() -> None:
    assert slope([(0, 100), (1800, 150), (3600, 200)]) == pytest.approx(100)
    assert slope([(0, 100), (60, 100)]) == 0


def test_only_the_clients_of_a_killed_worker_may_end_without_a_farewell() -> None:
    scene = SoakScene({}, pace=0)
    scene.doomed = {(143, 1001): time.monotonic()}
    scene.note_cut(Cut((143, 1001)), "one")
    scene.note_cut(Farewell((143, 1002)), "two")
    scene.note_cut(Cut((143, 1003), was_greeted=False), "three")
    assert scene.unexplained == []
    scene.note_cut(Cut((143, 1004)), "four")
    scene.note_cut(Cut((143, 1001)), "one again")
    scene.note_cut(Cut((110, 1001)), "one of POP3")
    assert [each.partition(",")[0] for each in scene.unexplained] == ["four", "one again", "one of POP3"]
    assert scene.ends == {"of a killed worker": 1, "with a farewell": 1, "before the greeting": 1}


def test_the_clients_of_a_process_are_found_by_their_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0]:
            assert clients_of(os.getpid(), frozenset({port})) == {(port, client.getsockname()[1])}
        assert clients_of(os.getpid(), frozenset({port})) == set()


def test_a_process_and_files_are_measured(tmp_path: Path) -> None:
    before = size_of(os.getpid())
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(1000))
        assert size_of(os.getpid()).files == before.files + 1
    assert before.pss > 1e6
    assert octets_of(tmp_path) == 1000


def test_a_metric_is_summed_over_its_labels() -> None:
    text = '# TYPE mektup_sessions gauge\nmektup_sessions{protocol="imap"} 2.0\nmektup_sessions{protocol="lmtp"} 1\n'
    assert totals(text) == {"mektup_sessions": 3}


def test_durations_keep_a_sample() -> None:
    durations = Durations()
    for number in range(100):
        durations.add(number / 100)
    assert (durations.count, durations.share(50), durations.share(99), durations.longest) == (100, 0.5, 0.99, 0.99)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("1.5h", 5400)])
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="soon"):
        seconds_of("soon")
