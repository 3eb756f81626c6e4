"""Losses of power: makes the disk states that one may leave at any point of a workload, and opens each.

``workload`` plays seeded work on a real store and notes what was acknowledged (``journal``); ``cuts`` makes the states
and holds each against the journal (``checks``). A failure prints its seed, point and fates, which repeat it.
"""
