"""What a server needs for a handshake, and what its sessions may know of it afterwards."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from mektup.server.layers.client_names import ClientName


@dataclass(frozen=True, slots=True)
class ServerTls:
    """One certificate in use. All connections that began with it share this value."""

    context: ssl.SSLContext
    certificate_hash: bytes | None = None
    """See ``terms.peer.TlsFacts``."""
    client_name: ClientName | None = None
    """Where a client's certificate names the account; None if clients are not asked for one."""
