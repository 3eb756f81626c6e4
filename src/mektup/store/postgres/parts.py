"""What stands in a shard and in the directory, as ``schema`` makes it."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.schema import Part
from mektup.store.postgres.tables import (
    directory_tables,
    keyword_sets,
    lost_answers,
    message_writes,
    shard_tables,
    text_queries,
)

FUNCTIONS: Final = (
    *keyword_sets.FUNCTIONS,
    *message_writes.FUNCTIONS,
    *lost_answers.FUNCTIONS,
    *text_queries.FUNCTIONS,
)
"""The functions of a shard."""

SHARD: Final = Part("shard", shard_tables.VERSIONS, shard_tables.OLDEST_READER, FUNCTIONS)
DIRECTORY: Final = Part("directory", directory_tables.VERSIONS, directory_tables.OLDEST_READER, ())
