"""Programs that try to make mektup lose mail or stop: crashes, losses of power, failing disks, hostile input.

Each is a package with a ``__main__``, a seed that repeats a run, a short form (``--short``) for every commit, and exits
with 1 when it found a fault. Each prints its result as one table, and with ``--write`` also puts it into
docs/reliability.md.
"""
