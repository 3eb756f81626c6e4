"""The layers between a socket and a session, stacked: each turns octets into octets.

A connection in the clear has no stack, so its octets go straight. Whoever has a stack passes each piece from the socket
to ``receive``, then sends what ``to_send`` returns, and sends what ``send`` and ``close`` return.
"""

from __future__ import annotations

from typing import Protocol


class Layer(Protocol):
    """One layer. The *outer* side is that of the socket, the *inner* side that of the session."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come from outside: the other end has said so, or the layer has failed."""

    def receive(self, octets: bytes) -> bytes:
        """Takes octets from outside, cut anywhere; returns those for the inside, often none. Never raises."""

    def to_send(self) -> bytes:
        """Octets for the outside that the layer itself has to say, often none: of a handshake, or an alert."""

    def send(self, octets: bytes) -> bytes:
        """Octets for the outside that carry *octets* from the inside, all of them; none after a failure."""

    def close(self) -> bytes:
        """Octets for the outside that tell the other end that no more will be sent; may be called twice."""


class Stack:
    """The layers of one connection; itself a Layer."""

    __slots__ = ("_layers",)

    def __init__(self, *layers: Layer) -> None:
        """*layers*: the outermost first."""
        self._layers = layers

    def push(self, layer: Layer) -> None:
        """Adds an innermost layer: from now on the session's octets pass it."""
        self._layers = (*self._layers, layer)

    @property
    def ended(self) -> bool:
        """See Layer."""
        for layer in self._layers:
            if layer.ended:
                return True
        return False

    def receive(self, octets: bytes) -> bytes:
        """See Layer."""
        for layer in self._layers:
            octets = layer.receive(octets)
        return octets

    def to_send(self) -> bytes:
        """See Layer. What an inner layer has to say passes the outer ones."""
        octets = b""
        for layer in reversed(self._layers):
            octets = (layer.send(octets) if octets else b"") + layer.to_send()
        return octets

    def send(self, octets: bytes) -> bytes:
        """See Layer."""
        for layer in reversed(self._layers):
            octets = layer.send(octets)
        return octets

    def close(self) -> bytes:
        """See Layer. The innermost closes first."""
        octets = b""
        for layer in reversed(self._layers):
            octets = (layer.send(octets) if octets else b"") + layer.close()
        return octets
