"""Which capabilities are hidden at which address."""

from __future__ import annotations

from collections.abc import Mapping

from mektup.imap.hiding import checked, known_names
from mektup.server import texts
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import ConfigError
from mektup.terms.texts import ABOUT

NOTHING: frozenset[str] = frozenset()
OF_POP3 = "AUTH="
"""POP3 hides only mechanisms."""


class Hidden:
    """What ``Config.hide`` means."""

    def __init__(self, hide: Mapping[Service | Endpoint, tuple[str, ...]]) -> None:
        """Raises ConfigError for a name that cannot be hidden."""
        self._hidden = {place: _checked(place, names) for place, names in hide.items()}

    def at(self, service: Service, place: Endpoint | None) -> frozenset[str]:
        """What is hidden from a client of *service* at the address *place*."""
        hidden = self._hidden
        if not hidden:
            return NOTHING
        here = NOTHING if place is None else hidden.get(place, NOTHING)
        return hidden.get(service, NOTHING) | here


def _checked(place: Service | Endpoint, names: tuple[str, ...]) -> frozenset[str]:
    key = place.value if isinstance(place, Service) else str(place)
    known = known_names()
    if isinstance(place, Service) and place.protocol == "pop3":
        known = [name for name in known if name.startswith(OF_POP3)]
    try:
        return checked(names, known)
    except ValueError as error:
        problem = ABOUT.of(place=str(error), problem=texts.HIDES_WHAT.of(names=", ".join(known)))
        raise ConfigError(ABOUT.of(place=f"hide.{key}", problem=problem)) from None
