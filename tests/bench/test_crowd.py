"""The loop of many clients, with an echo server."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.crowd import Script, Step, gather, percentile
from bench.processes import ProcessTree, owner


class _Echo(socketserver.StreamRequestHandler):
    """Answers each line that has a tag with an untagged line and the tag."""

    def handle(self) -> None:
        for line in self.rfile:
            tag, _, rest = line.rstrip().partition(b" ")
            verdict = b"NO" if rest == b"refuse" else b"OK"
            self.wfile.write(
                b"+ go on\r\n* told\r\n" if rest == b"IDLE" else b"* %b\r\n%b %b\r\n" % (rest, tag, verdict)
            )


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """The address of a server that echoes."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


def test_each_client_is_resumed_with_its_answer() -> None:
    seen: list[bytes] = []

    def script(number: int) -> Script:
        yield Step("early", b"a early\r\n", b"a ")
        yield Step("meet", b"", b"")
        seen.append((yield Step("word", b"b %d\r\n" % number, b"b ")))
        yield Step("idle", b"c IDLE\r\n", b"+", 0.01)
        seen.append((yield Step("word", b"d %d\r\n" % number, b"d ")))

    met: list[int] = []
    with echo() as address:
        times = gather(address, [script(1), script(2)], lambda: met.append(1))
    assert sorted(seen) == [b"* 1\r\nb OK\r\n", b"* 1\r\nd OK\r\n", b"* 2\r\nb OK\r\n", b"* 2\r\nd OK\r\n"]
    assert met == [1]
    assert sorted(kind for kind, _ in times) == ["idle", "idle", "word", "word", "word", "word"]


def test_a_refusal_is_an_error() -> None:
    def script() -> Script:
        yield Step("word", b"a refuse\r\n", b"a ")

    with echo() as address, pytest.raises(OSError, match="was answered by"):
        gather(address, [script()], lambda: None)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(range(100), 0.99) == 99
    assert percentile([3, 1, 2], 0.5) == 2


def test_processor_time_and_memory_of_a_process_grow() -> None:
    tree = ProcessTree(os.getpid())
    before = tree.cpu()
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    assert tree.cpu() >= before + 0.02
    assert tree.proportional_memory() > 1_000_000
    kept = b"x" * 50_000_000
    assert tree.private_memory() > len(kept)


def test_the_process_that_serves_a_connection_is_found() -> None:
    tree = ProcessTree(os.getpid())
    with echo() as address, socket.create_connection(address) as client:
        client.sendall(b"a x\r\n")
        client.recv(1)
        assert owner(tree, client.getsockname()[1]) == os.getpid()
    assert owner(tree, 1) is None
