"""What one hostile client, or one mail, does to others on the same worker: ``python -m bench.hostile``."""
