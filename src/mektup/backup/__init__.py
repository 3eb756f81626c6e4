"""Backups: an own, engine-neutral format that grows by what is new, and what is restored from it.

``taking`` reads accounts of a store, each at one moment, and writes ``packs`` of messages and a ``Manifest`` for each
account. ``verifying``, ``pruning`` and ``restoring`` read them. docs/backup-format.md describes the files.
"""
