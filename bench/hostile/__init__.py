"""How much one hostile client, or one mail, disturbs others on the same worker: ``python -m bench.hostile``."""
