"""The layers between a socket and a session, stacked: each turns octets into octets.

A connection in the clear has no layer, so its octets go straight. Whoever has a layer passes each piece from the socket
to ``receive``, then sends what ``to_send`` returns, and sends what ``send`` and ``close`` return. While the layer
``has_more``, its owner takes that by ``receive(b"")``, and reads no more from the socket.
"""

from __future__ import annotations

from typing import Protocol


class Layer(Protocol):
    """One layer. The *outer* side is that of the socket, the *inner* side that of the session."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come from outside: the other end has said so, or the layer has failed."""

    @property
    def has_more(self) -> bool:
        """Whether ``receive`` has held back octets for the inside, to return a bounded number at a time."""

    def receive(self, octets: bytes) -> bytes:
        """Takes octets from outside, cut anywhere; returns those for the inside, often none. Never raises."""

    def to_send(self) -> bytes:
        """Octets for the outside that the layer itself has to say, often none: of a handshake, or an alert."""

    def send(self, octets: bytes) -> bytes:
        """Octets for the outside that carry *octets* from the inside, all of them; none after a failure."""

    def rest(self) -> None:
        """Frees memory that is needed only while octets are sent; may be called at any time."""

    def close(self) -> bytes:
        """Octets for the outside that tell the other end that no more will be sent; may be called twice."""


class Stack:
    """Several layers on top of each other; itself a Layer."""

    __slots__ = ("_layers",)

    def __init__(self, *layers: Layer) -> None:
        """*layers*: the outermost first."""
        self._layers = layers

    @property
    def ended(self) -> bool:
        """See Layer."""
        for layer in self._layers:
            if layer.ended:
                return True
        return False

    @property
    def has_more(self) -> bool:
        """See Layer."""
        return any(layer.has_more for layer in self._layers)

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

    def rest(self) -> None:
        """See Layer."""
        for layer in self._layers:
            layer.rest()

    def close(self) -> bytes:
        """See Layer. The innermost closes first."""
        octets = b""
        for layer in reversed(self._layers):
            octets = (layer.send(octets) if octets else b"") + layer.close()
        return octets
