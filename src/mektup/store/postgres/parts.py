"""What stands in a shard and in the directory, as ``schema`` makes it."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.schema import Part
from mektup.store.postgres.tables import directory_tables, shard_tables

SHARD: Final = Part("shard", shard_tables.VERSIONS, shard_tables.OLDEST_READER, ())
DIRECTORY: Final = Part("directory", directory_tables.VERSIONS, directory_tables.OLDEST_READER, ())
