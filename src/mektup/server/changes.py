"""Changes of the addresses by a new configuration: new addresses are bound before old ones are closed."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mektup.server.addresses import Endpoint, Service
from mektup.server.config import ConfigError
from mektup.server.listeners import endpoint_of, open_sockets, remove_path
from mektup.server.socket_access import USUAL_ACCESS, SocketAccess
from mektup.terms.texts import ABOUT

Key = tuple[Service, Endpoint]


@dataclass(frozen=True, slots=True)
class AddressChange:
    """The sockets of new addresses, bound but not used yet, and the addresses to close."""

    added: Mapping[Key, list[socket.socket]]
    removed: tuple[Key, ...]

    def abandon(self) -> None:
        """Closes the new sockets."""
        for sockets in self.added.values():
            for each in sockets:
                endpoint = endpoint_of(each)
                each.close()
                remove_path(endpoint)


def prepare_addresses(
    listen: Mapping[Service, tuple[Endpoint, ...]],
    kept: Mapping[Key, Iterable[Endpoint]],
    access: SocketAccess = USUAL_ACCESS,
) -> AddressChange:
    """Binds what *listen* has and *kept* has not; *kept* maps each key to the addresses that it is bound to.

    Raises ConfigError for the first address that cannot be bound; nothing stays bound then.
    """
    wanted = [(service, endpoint) for service, endpoints in listen.items() for endpoint in endpoints]
    ours = frozenset(endpoint.port for endpoints in kept.values() for endpoint in endpoints)
    added: dict[Key, list[socket.socket]] = {}
    try:
        for key in wanted:
            if key not in kept and key not in added:
                try:
                    added[key] = open_sockets(key[1], shared=True, ours=ours, access=access)
                except ConfigError as error:
                    raise ConfigError(ABOUT.of(place=f"listen.{key[0].value}", problem=error.text)) from error
    except BaseException:
        AddressChange(added, ()).abandon()
        raise
    return AddressChange(added, tuple(key for key in kept if key not in wanted))
