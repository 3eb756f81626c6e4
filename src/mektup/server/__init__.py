"""Connects: the embedding face, listeners, TLS, worker processes, the bus, metrics, configuration."""
