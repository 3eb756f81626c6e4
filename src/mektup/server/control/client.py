"""Asks the running servers of a data directory."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from mektup.server.control import socket_file
from mektup.server.control.messages import ANSWER_BYTES, Answer, Question, answer, encoded

_READ_BYTES = 64 * 1024


class NoServer(Exception):
    """No server is running on the data directory."""


class NotUnderstood(Exception):
    """A server answers in a way that this version does not understand."""


def ask(data: Path, question: Question) -> Iterator[Answer]:
    """The answers of all servers on *data*, as they come; ends when all have answered, or are gone.

    Raises NoServer before the first answer, NotUnderstood, and OSError if a socket may not be used.
    """
    with ExitStack() as stack:
        try:
            servers = [stack.enter_context(found) for _, found in socket_file.connected(data)]
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(data / "run")) from error
        if not servers:
            raise NoServer
        selector = stack.enter_context(selectors.DefaultSelector())
        for server in servers:
            with suppress(BrokenPipeError):  # it has answered already, and refuses
                server.sendall(encoded(question))
            selector.register(server, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                octets = _read(key.fileobj)
                if not octets:
                    selector.unregister(key.fileobj)
                yield from _answers(key.data, octets)


def _read(server: socket.socket) -> bytes:
    try:
        return server.recv(_READ_BYTES)
    except ConnectionError:
        return b""  # it was killed


def _answers(unread: bytearray, octets: bytes) -> Iterator[Answer]:
    """The answers that are complete with *octets*; *unread* is what came before and stays."""
    unread += octets
    *lines, rest = bytes(unread).split(b"\n")
    unread[:] = rest
    try:
        for line in lines:
            yield answer(line)
    except msgspec.MsgspecError as error:
        raise NotUnderstood from error
    if len(unread) > ANSWER_BYTES:
        raise NotUnderstood
