"""Sets of figures, each about one question, beside the table of rows. They are chosen by name, as rows are."""

from collections.abc import Callable, Mapping

from bench.rows.registry import Bench
from bench.sets.backup import backup
from bench.sets.disk import disk
from bench.sets.idle_scale import idle_scale
from bench.sets.lines import Line
from bench.sets.mixed import mixed
from bench.sets.stall import stall

SETS: Mapping[str, Callable[[Bench], list[Line]]] = {
    "mixed": mixed,
    "stall": stall,
    "disk": disk,
    "backup-others": backup,
    "idle-scale": idle_scale,
}
"""In the order in which they run."""

ROUNDS = {"mixed": 3}
"""How often a set is measured on each server in turn, for medians; once, where it is not named."""
