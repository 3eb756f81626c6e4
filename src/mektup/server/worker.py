"""A worker process: a node that obeys its parent, until it is told to stop or the parent is gone."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

from mektup.server import texts
from mektup.server.addresses import Endpoint, Service
from mektup.server.channel import (
    Abandon,
    Asked,
    AskReport,
    Channel,
    Commit,
    Failed,
    Listen,
    Message,
    Offer,
    Ping,
    Pong,
    Prepare,
    Prepared,
    Ready,
    Reported,
    Start,
    StopListening,
)
from mektup.server.config import Config, ConfigError
from mektup.server.listeners import BACKLOG
from mektup.server.logs import Log
from mektup.server.node import Node, PreparedConfig, open_node
from mektup.server.tuning.garbage import search_each_object_once
from mektup.store import system


class Worker:
    """The main object of a worker process."""

    def __init__(self, end: socket.socket) -> None:
        self._channel = Channel(end, self._received, self._stop)
        self._started: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._early: list[tuple[Message, list[socket.socket]]] = []
        self._offered: list[tuple[Service, Endpoint, list[socket.socket]]] = []
        """Sockets at which the node will accept when their change is committed."""
        self._prepared: tuple[int, PreparedConfig] | None = None
        self._node: Node | None = None

    async def run(self) -> int:
        """Serves; returns the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        # the parent handles Ctrl-C and the hang-up of a terminal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stopping = loop.create_task(self._stopping.wait())
        await asyncio.wait((self._started, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not self._started.done():
            stopping.cancel()
            return 0
        start = self._started.result()
        log = Log(start.config.log_level, start.config.log_format, file=start.config.log_file)
        log.take_over()
        try:
            return await self._serve(start, log, stopping)
        finally:
            log.close()

    async def _serve(self, start: Start, log: Log, stopping: asyncio.Task[object]) -> int:
        try:
            self._node = await open_node(start.config, log.logger.bind(worker=start.number), log)
        except ConfigError as error:
            self._channel.send(Failed(error.whole))
            stopping.cancel()
            return 1
        for message, sockets in self._early:
            self._obey(self._node, message, sockets)
        self._early.clear()
        if start.config.tuning.freeze_objects:
            search_each_object_once()
        self._channel.send(Ready())
        await stopping
        await self._node.stop()
        # the parent keeps what this process has counted
        self._channel.send(Reported(self._node.reporter.report()))
        self._channel.close()
        return 0

    def _received(self, message: Message, sockets: list[socket.socket]) -> None:
        if isinstance(message, Start):
            self._started.set_result(message)
        elif self._node is None:
            self._early.append((message, sockets))
        else:
            self._obey(self._node, message, sockets)

    def _obey(self, node: Node, message: Message, sockets: list[socket.socket]) -> None:
        match message:
            case Listen(service, configured):
                if self._stopping.is_set():
                    for each in sockets:
                        each.close()
                else:
                    node.listen(service, configured, sockets)
            case StopListening(service, configured):
                node.stop_listening(service, configured)
            case Offer(service, configured):
                self._offered.append((service, configured, sockets))
            case Prepare(change, config):
                self._prepare(node, change, config)
            case Commit(change):
                self._commit(node, change)
            case Abandon():
                self._abandon()
            case Ping():
                self._channel.send(Pong())
            case Asked(question, worker):
                for each in sockets:
                    node.control.asked(question, worker, each)
            case AskReport():
                self._channel.send(Reported(node.reporter.report()))
            case _:
                raise TypeError(f"a worker cannot be told {message}")

    def _prepare(self, node: Node, change: int, config: Config) -> None:
        try:
            for _, _, sockets in self._offered:
                for each in sockets:
                    each.listen(BACKLOG)
            self._prepared = change, node.prepare(config)
        except ConfigError as error:
            self._channel.send(Failed(error.whole))
        except OSError as error:
            self._channel.send(Failed(texts.CANNOT_LISTEN_NOW.of(reason=error.strerror or str(error))))
        else:
            self._channel.send(Prepared(change))

    def _commit(self, node: Node, change: int) -> None:
        if self._prepared is None or self._prepared[0] != change:
            raise RuntimeError(f"change {change} was never prepared")
        _, prepared = self._prepared
        offered, self._offered, self._prepared = self._offered, [], None
        node.commit(prepared)
        for service, configured, sockets in offered:
            node.listen(service, configured, sockets)

    def _abandon(self) -> None:
        for _, _, sockets in self._offered:
            for each in sockets:
                each.close()
        self._offered, self._prepared = [], None

    def _stop(self) -> None:
        self._stopping.set()


async def _run(end: socket.socket) -> int:
    return await Worker(end).run()


def main() -> int:
    """Runs a worker. The first argument is the descriptor of its end of the channel."""
    end = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=system.new_event_loop) as runner:
        return runner.run(_run(end))


if __name__ == "__main__":
    sys.exit(main())
