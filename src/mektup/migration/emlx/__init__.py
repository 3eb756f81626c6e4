"""The files of Apple Mail's own store: ``.emlx``."""
