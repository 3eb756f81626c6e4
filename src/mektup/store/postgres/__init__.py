"""The engine for several nodes: accounts are rows in PostgreSQL databases, the shards."""

from mektup.store.postgres.store import open_store

__all__ = ["open_store"]
