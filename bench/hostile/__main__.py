"""``python -m bench.hostile``: how much one hostile client, or one mail, disturbs others on the same worker.

For each attack it prints how long a NOOP of another user waited, and how much the server's memory grew. The exit status
is 1 when a bound did not hold. ``attacks/__init__.py`` says how to add an attack.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.fill import MektupFilling
from bench.hostile.attack import ATTACKER, BYSTANDER, OTHER, Attack, Stage
from bench.hostile.attacks import ATTACKS
from bench.hostile.measure import Outcome, measured
from bench.mektup import Mektup
from bench.rows.registry import PASSWORD
from reliability import report

SHORT_FACTOR = 10.0
"""How much wider the bounds are in the short form, which also runs on busy machines."""

SHORT_TRIES = 3
"""In the short form an attack fails after so many tries that broke a bound; each try is printed."""

HEAD = (
    f"{'attack':15}{'who':9}{'before':44}{'NOOP ms':>8}{'net':>7}{'machine':>8}{'p99':>6}{'MB':>6}{'CPU s':>7}"
    "  what was got"
)

CROWDS_HEAD = f"{'crowd':17}{'MB':>6}{'bound':>7}{'NOOP p99':>9}{'longest':>9}{'CPU s':>7}  what was got"


def main(words: Sequence[str]) -> int:
    """Runs the attacks; returns the exit status."""
    options = _parsed(words)
    factor = options.factor or (SHORT_FACTOR if options.short else 1.0)
    tries = SHORT_TRIES if options.short else 1
    chosen = [attack for attack in ATTACKS if _is_chosen(attack, options)]
    if options.list:
        print(*(f"{attack.key:15}{attack.who.value:9}{attack.what}" for attack in chosen), sep="\n")
        return 0
    begun = time.monotonic()
    broken: list[str] = []
    table = [CROWDS_HEAD if options.crowds else HEAD]
    print(table[0], flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        accounts = Path(folder) / "accounts"
        _make_accounts(accounts, options.checkout)
        for attack in chosen:
            for _ in range(tries):
                outcome = _outcome(attack, accounts, Path(folder) / attack.key, options)
                table.append(_crowd_line(outcome) if options.crowds else _line(outcome))
                print(table[-1], flush=True)
                found = outcome.broken(factor)
                if not found:
                    break
            broken += [f"{attack.key}: {each}" for each in found]
    print(f"{len(chosen)} attacks, {time.monotonic() - begun:.0f} seconds in all", file=sys.stderr)
    print(*broken, sep="\n", file=sys.stderr)
    if options.write:
        report.write("floods", "\n".join([report.heading(Path(tempfile.gettempdir())), "", *table]))
    return 1 if broken else 0


def _outcome(attack: Attack, accounts: Path, place: Path, options: argparse.Namespace) -> Outcome:
    """Runs *attack* on a new server, whose data is a copy of *accounts*."""
    shutil.copytree(accounts, place / "data")
    with Mektup(place, workers=1, settings=attack.settings, checkout=options.checkout) as server:
        outcome = measured(attack, Stage(server, is_short=options.short))
    shutil.rmtree(place)
    return outcome


def _make_accounts(data: Path, checkout: Path | None) -> None:
    names = (BYSTANDER, ATTACKER, OTHER)
    if checkout is None:
        MektupFilling(data, dict.fromkeys(names, 0)).wait()
        return
    # an older mektup cannot read the files of this one
    data.mkdir()
    command = [str(checkout / ".venv" / "bin" / "mektup"), "user", "add", "--data", str(data), "--password-stdin"]
    for name in names:
        subprocess.run([*command, name], input=f"{PASSWORD}\n", text=True, check=True, stdout=subprocess.DEVNULL)


def _is_chosen(attack: Attack, options: argparse.Namespace) -> bool:
    if options.attacks:
        return attack.key in options.attacks
    return (attack.is_in_short or not options.short) and (attack.is_crowd or not options.crowds)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("attacks", nargs="*", help="which; all when none is named")
    parser.add_argument("--short", action="store_true", help="smaller mailboxes and wider bounds, in under 90 seconds")
    parser.add_argument("--crowds", action="store_true", help="only crowds, in a table of their own")
    parser.add_argument("--write", action="store_true", help="put the table of crowds into docs/reliability.md")
    parser.add_argument("--factor", type=float, help="how much wider the bounds are")
    parser.add_argument("--folder", help="where the server keeps its data; a temporary folder below it is made")
    parser.add_argument(
        "--checkout", type=Path, help="another tree of mektup, where make has made .venv: it is attacked"
    )
    parser.add_argument("--list", action="store_true", help="only name them")
    options = parser.parse_args(words)
    if unknown := set(options.attacks) - {attack.key for attack in ATTACKS}:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    return options


def _line(outcome: Outcome) -> str:
    attack, waits = outcome.attack, outcome.waits
    return (
        f"{attack.key:15}{attack.who.value:9}{attack.before[:43]:44}"
        f"{waits.longest * 1000:8.1f}{waits.net * 1000:7.1f}{waits.machine * 1000:8.1f}{waits.p99 * 1000:6.1f}"
        f"{outcome.growth:6.0f}{outcome.cpu:7.2f}  {outcome.got}"
    )


def _crowd_line(outcome: Outcome) -> str:
    waits = outcome.waits
    return (
        f"{outcome.attack.key:17}{outcome.growth:6.0f}{outcome.attack.growth_mb:7.0f}{waits.net_p99 * 1000:9.1f}"
        f"{waits.net * 1000:9.1f}{outcome.cpu:7.1f}  {outcome.got}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
