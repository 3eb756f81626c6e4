"""The databases and the bus between nodes: do they answer, and are they what the server needs?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from mektup.server.checking import texts
from mektup.server.checking.finding import Finding, failure, fine, warning
from mektup.server.config import ConfigError
from mektup.server.engines import SECONDS_APART, carrier_of, inspect
from mektup.server.store_config import StoreConfig
from mektup.store.inspected import Inspected, State
from mektup.store.notices import Carrier, CarrierDown
from mektup.terms.texts import Text

CARRIER_SECONDS = 5.0
NO_ANSWER = "it does not answer"


def databases(config: StoreConfig) -> Iterator[Finding]:
    """A finding for each database, and for the bus; none where mail is in files."""
    try:
        found = asyncio.run(inspect(config))
        carrier = carrier_of(config)
    except ConfigError as error:
        yield failure("store", texts.AS_SAID.of(problem=error.text))
        return
    for key, database in found.items():
        yield from _of_database(key, database)
    if carrier is not None:
        yield asyncio.run(_of_bus(carrier))


def _of_database(key: str, found: Inspected) -> Iterator[Finding]:
    mending = texts.OTHERS_SERVE if key != "store.directory" else None
    match found.state:
        case State.WRONG:
            yield failure(key, texts.DATABASE_WRONG, mending)
        case State.DOWN:
            yield failure(key, texts.DATABASE_DOWN.of(reason=found.reason), mending)
        case State.OLD_SERVER:
            yield failure(key, texts.OLD_SERVER.of(version=found.reason))
        case State.TOO_NEW:
            yield failure(key, texts.SCHEMA_TOO_NEW, texts.UPGRADE)
        case State.EMPTY | State.READY:
            yield fine(key, _FINE[found.state])
            yield from _of_usable(key, found)


_FINE: dict[State, Text] = {State.EMPTY: texts.DATABASE_EMPTY, State.READY: texts.DATABASE_FINE}


def _of_usable(key: str, found: Inspected) -> Iterator[Finding]:
    if not found.is_synchronous:
        yield warning(key, texts.NOT_SYNCHRONOUS, texts.SET_STANDBYS)
    if abs(found.seconds_ahead) > SECONDS_APART:
        yield warning(key, texts.CLOCKS_DIFFER.of(count=round(abs(found.seconds_ahead))), texts.SET_CLOCK)


async def _of_bus(carrier: Carrier) -> Finding:
    try:
        async with asyncio.timeout(CARRIER_SECONDS):
            await carrier.open(lambda payload: None, lambda: None, lambda: None)
    except (CarrierDown, TimeoutError) as error:
        return warning("store.bus", texts.BUS_DOWN.of(reason=str(error) or NO_ANSWER))
    finally:
        await carrier.close()
    return fine("store.bus", texts.BUS_FINE)
