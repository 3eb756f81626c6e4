"""Unusual optimizations: each has a switch in ``switches`` and a decision in docs/decisions."""
