"""Makes the report of a serving process from what its parts have counted. Asked when somebody reads the metrics."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from mektup.server.fault_book import FaultBook
from mektup.server.logs import Log
from mektup.server.loop_delay import LoopDelay
from mektup.server.report import MetricKey, Report, process_figures
from mektup.server.sessions import Sessions
from mektup.session.life import LOGIN_REASONS, OPEN_ENDED, OTHER_REASON
from mektup.session.services import Tally
from mektup.store.interface import Store
from mektup.store.sqlite import SQLITE_VERSION, Reserve
from mektup.terms.durations import SECONDS, Counts
from mektup.terms.errors import Code

EMBEDDED = "embedded"
"""The value of the label ``protocol`` for messages from the program that embeds a server."""

WITHOUT_LOGIN = frozenset({"lmtp", "socketmap"})
"""Protocols without login."""

NO_CODE = "none"
"""The label of a refusal without a response code."""


class Reporter:
    """Knows the parts of one process."""

    def __init__(self, sessions: Sessions, store: Store, faults: FaultBook, reserve: Reserve, own: Log | None) -> None:
        """*own* is the log of the process, if it has its own."""
        self.embedded = Tally()
        """Counts what the embedding program stores."""
        self._sessions = sessions
        self._store = store
        self._faults = faults
        self._reserve = reserve
        self._own = own
        self._delay = LoopDelay()
        self._build = version("mektup"), platform.python_version(), SQLITE_VERSION

    def close(self) -> None:
        """Ends the measurements."""
        self._delay.close()

    def report(self) -> Report:
        """The figures of this moment."""
        tallies = self._sessions.tallies
        numbers: dict[MetricKey, float] = {("mektup_build_info", self._build): 1.0}
        for protocol, tally in tallies.items():
            numbers.update(_tallied(protocol, tally))
        numbers.update(_messages(EMBEDDED, self.embedded))
        self._add_census(numbers)
        numbers.update(self._stored())
        numbers.update(process_figures())
        numbers.update(log_figures(self._own))
        trouble = self._faults.trouble()
        return Report(
            numbers,
            {("mektup_loop_delay_seconds", ()): list(self._delay.counts), **_durations(tallies)},
            troubles=() if trouble is None else (trouble,),
            warnings=log_warnings(self._own),
        )

    def _add_census(self, numbers: dict[MetricKey, float]) -> None:
        census = self._sessions.census()
        for at, count in census.stages.items():
            numbers["mektup_sessions", at] = count
        for name, octets in (
            ("mektup_received_bytes_total", census.octets_in),
            ("mektup_sent_bytes_total", census.octets_out),
        ):
            for protocol, more in octets.items():
                numbers[name, (protocol,)] += more

    def _stored(self) -> Iterator[tuple[MetricKey, float]]:
        for kind, count in self._faults.counts().items():
            yield ("mektup_store_faults_total", (kind,)), count
        for memo, counts in self._store.memory.counts().items():
            yield ("mektup_remembered_hits_total", (memo.value,)), counts.hits
            yield ("mektup_remembered_misses_total", (memo.value,)), counts.misses
            yield ("mektup_remembered_bytes", (memo.value,)), counts.octets
        backlog = self._store.backlog()
        yield ("mektup_index_queue", ()), backlog.accounts
        yield ("mektup_index_queue_age_seconds", ()), backlog.oldest_seconds
        yield ("mektup_wal_bytes", ()), backlog.wal_bytes
        yield ("mektup_largest_wal_bytes", ()), backlog.largest_wal_bytes
        yield ("mektup_expunged_bytes", ()), backlog.expunged_bytes
        room = self._reserve.figures()
        if room is not None:
            yield ("mektup_disk_free_bytes", ()), room.free
            yield ("mektup_reserve_bytes", ()), room.left
            yield ("mektup_reserve_whole_bytes", ()), room.whole


def log_figures(own: Log | None) -> dict[MetricKey, float]:
    """The counters of a process's log."""
    if own is None:
        return {}
    return {
        ("mektup_log_lines_dropped_total", ()): float(own.dropped),
        ("mektup_log_lines_left_out_total", ()): float(own.left_out),
    }


def log_warnings(own: Log | None) -> tuple[str, ...]:
    """What is wrong with a process's log."""
    trouble = None if own is None else own.trouble()
    return () if trouble is None else (trouble,)


def _tallied(protocol: str, tally: Tally) -> Iterator[tuple[MetricKey, float]]:
    at = (protocol,)
    yield ("mektup_connections_total", at), tally.connections
    yield ("mektup_refused_connections_total", at), tally.refused_connections
    yield ("mektup_sessions", (protocol, "idle")), 0
    yield ("mektup_received_bytes_total", at), tally.octets_in
    yield ("mektup_sent_bytes_total", at), tally.octets_out
    if protocol not in WITHOUT_LOGIN:
        yield ("mektup_logins_total", at), tally.logins
        for reason in (*LOGIN_REASONS.values(), OTHER_REASON):
            yield ("mektup_refused_logins_total", (protocol, reason)), tally.refused_logins[reason]
    for command, counts in tally.durations.items():
        yield ("mektup_commands_total", (protocol, command)), sum(counts[:SECONDS])
    yield ("mektup_slow_commands_total", at), tally.slow_commands
    yield ("mektup_client_mistakes_total", at), tally.mistakes
    for code in (*Code, None):
        label = NO_CODE if code is None else code.name
        yield ("mektup_refusals_total", (protocol, label)), tally.refusals[code]
    yield ("mektup_uncertain_changes_total", at), tally.uncertain
    yield ("mektup_bugs_total", at), tally.bugs
    yield from _messages(protocol, tally)


def _messages(protocol: str, tally: Tally) -> Iterator[tuple[MetricKey, float]]:
    yield ("mektup_messages_total", (protocol,)), tally.messages
    yield ("mektup_message_bytes_total", (protocol,)), tally.message_octets


def _durations(tallies: Mapping[str, Tally]) -> dict[MetricKey, Counts]:
    return {
        ("mektup_command_duration_seconds", (protocol, command)): list(counts)
        for protocol, tally in tallies.items()
        for command, counts in tally.durations.items()
        if command not in OPEN_ENDED
    }
