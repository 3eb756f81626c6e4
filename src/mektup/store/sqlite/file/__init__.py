"""One SQLite file: connections, commits, checkpoints, durability, threads. What is in its tables is not known here."""
