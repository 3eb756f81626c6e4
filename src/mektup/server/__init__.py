"""Connects everything: the interface for embedding, listeners, TLS, workers, the bus, metrics, configuration."""
