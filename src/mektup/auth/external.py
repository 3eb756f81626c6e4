"""EXTERNAL (RFC 4422 Appendix A): TLS has verified the client's certificate, which names the account."""

from __future__ import annotations

from mektup.auth import texts
from mektup.auth.gate import Gate
from mektup.auth.sasl import Challenge
from mektup.store.interface import AccountEntry
from mektup.terms.errors import ClientError
from mektup.terms.peer import Origin


def is_certified(peer: Origin) -> bool:
    """Whether a verified certificate of *peer* names an account."""
    return peer.tls is not None and bool(peer.tls.client_name)


class External:
    """One step: the authorization identity, mostly empty."""

    wants_initial = True

    def __init__(self, gate: Gate, peer: Origin) -> None:
        """*peer* must be certified."""
        self._gate = gate
        self._address = peer.address
        self.name = b"" if peer.tls is None else (peer.tls.client_name or "").encode()

    async def step(self, response: bytes) -> Challenge | AccountEntry:
        """Takes the only message. See Exchange."""
        # RFC 4422 Appendix A.1: the identity is UTF-8 without NUL
        if b"\0" in response:
            raise ClientError(texts.EXTERNAL_EXPECTS)
        entry = await self._gate.find_certified(self.name, self._address)
        return await self._gate.authorize(entry, response)
