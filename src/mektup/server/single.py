"""A server in one process: a node, and the sockets that this module opens for it."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from mektup.server.addresses import Endpoint, Service
from mektup.server.changes import AddressChange, Key, prepare_addresses
from mektup.server.config import Config, ConfigError
from mektup.server.control.service import Hand
from mektup.server.engines import open_relay, warn_of_databases
from mektup.server.listeners import endpoint_of, remove_path
from mektup.server.logs import Log
from mektup.server.metrics import Status
from mektup.server.node import Node, open_node, tidy, warn_of_data
from mektup.server.nodes.relay import Relay
from mektup.server.status_page import StatusPage
from mektup.store.faults import in_words
from mektup.terms.errors import Refused
from mektup.terms.texts import ABOUT


class Single:
    """A node and its addresses."""

    def __init__(self, node: Node) -> None:
        """Use ``open_single``."""
        self.node = node
        self.relay: Relay | None = None
        self._open: dict[Key, tuple[Endpoint, ...]] = {}
        self._pages: dict[Key, StatusPage] = {}
        self.on_process: Callable[[int, Hand], None] | None = None
        """See ``control.service.Processes``; there is never another process."""

    @property
    def endpoints(self) -> Mapping[Service, tuple[Endpoint, ...]]:
        """The addresses of each service, with actual ports; without services that are off."""
        found: dict[Service, tuple[Endpoint, ...]] = {}
        for (service, _), endpoints in self._open.items():
            found[service] = found.get(service, ()) + endpoints
        return found

    def hands(self, *, starting: bool) -> Mapping[int, Hand]:
        """See ``control.service.Processes``."""
        return {0: lambda question, end: self.node.control.asked(question, 0, end)}

    async def reload(self, config: Config) -> None:
        """Applies *config*; open sessions stay. Raises ConfigError, and then nothing has changed."""
        change = prepare_addresses(config.listen, self._open, config.sockets)
        try:
            prepared = self.node.prepare(config)
        except BaseException:
            change.abandon()
            raise
        self.node.commit(prepared)
        await self._change(change)

    async def listen(self, listen: Mapping[Service, tuple[Endpoint, ...]]) -> None:
        """Listens at these addresses and no others. Raises ConfigError for the first that cannot be bound."""
        await self._change(prepare_addresses(listen, self._open, self.node.config.sockets))

    async def stop(self) -> None:
        """Stops everything; see Node.stop."""
        for key in [key for key in self._open if key[0] is Service.METRICS]:
            await self._close(key)
        await self.node.stop()
        if self.relay is not None:
            await self.relay.close()
        for endpoints in self._open.values():
            for endpoint in endpoints:
                remove_path(endpoint)
        self._open.clear()

    async def status(self) -> Status:
        """The status for the metrics."""
        report = self.node.reporter.report()
        seconds = self.node.certificates.seconds_left
        relayed, warnings = (self.relay.figures(), self.relay.warnings()) if self.relay else ({}, ())
        whole = dataclasses.replace(report, numbers={**report.numbers, **relayed})
        return Status({"0": whole}, 1, 1, seconds, report.troubles, (*report.warnings, *warnings))

    async def _change(self, change: AddressChange) -> None:
        for key in change.removed:
            await self._close(key)
        for key, bound in change.added.items():
            await self._listen(key, bound)

    async def _listen(self, key: Key, bound: list[socket.socket]) -> None:
        service, configured = key
        self._open[key] = tuple(endpoint_of(each) for each in bound)
        if service is Service.METRICS:
            self._pages[key] = StatusPage(self.status)
            await self._pages[key].open(bound)
        else:
            self.node.listen(service, configured, bound)

    async def _close(self, key: Key) -> None:
        if key in self._pages:
            await self._pages.pop(key).close()
        else:
            self.node.stop_listening(*key)
        for endpoint in self._open.pop(key):
            remove_path(endpoint)


async def open_single(config: Config, log: FilteringBoundLogger, own: Log | None = None) -> Single:
    """A server that listens; *own* is the log of the process, if it has its own.

    Raises ConfigError, and then nothing stays open.
    """
    single = Single(await open_node(config, log, own))
    warn_of_data(config.data, log)
    try:
        single.relay = open_relay(config.store, config.data, log)
        await warn_of_databases(config.store, log)
        await tidy(single.node.store, log)
        await single.listen(config.listen)
    except Refused as error:
        await single.stop()
        raise ConfigError(ABOUT.of(place="data", problem=in_words(error))) from error
    except ConfigError:
        await single.stop()
        raise
    return single
