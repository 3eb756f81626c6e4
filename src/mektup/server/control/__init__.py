"""The control socket: who is connected, end sessions, follow a session. For ``mektup who``, ``kick`` and ``trace``."""
