"""One SQLite file: connections, commits, checkpoints, durability, threads. It does not depend on the tables."""
