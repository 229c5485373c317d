"""Every test has its size, every interval covers: the statistics room, calibrated by simulation.

    python -m tests.statistics.calibration.campaign --seed 1 --write

prints a row per case with its Monte Carlo error, and ends with 1 if a rate lies outside its bounds
by more than two of them, or an exported function has no case. ``--write`` puts the table into
``docs/statistics.md``; ``--only`` takes names of functions; ``--scale 0.1`` a tenth of the draws.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mua_decode import statistics
from mua_decode.files import write_text
from tests.statistics.calibration import of_analyses, of_intervals, of_models, of_tests
from tests.statistics.calibration.cases import BOUNDS, Case, Rate, run

CASES: list[Case] = [
    *of_tests.CASES, *of_models.CASES, *of_intervals.CASES, *of_analyses.CASES
]  # fmt: skip
# Neither tests nor intervals, with what holds each of them to account.
NO_INFERENCE = {
    "CORRECTIONS": "names",
    "Interval": "a type",
    "MixedQuestion": "a type",
    "NoInterval": "a type",
    "PermutationNull": "a type",
    "Units": "a type: every case in which something is shared",
    "folded_error": "arithmetic: test_circular.py",
    "mixed_view": "mixed_mean and unit_t side by side: test_mixed.py of ablate and repeat",
    "corrected_reach": "words: counted in tests/statistics/test_reach.py",
    "with_reach": "words: the notes of a table",
    "out_of_reach": "words: the rows that say the smallest possible p",
    "row_means": "arithmetic: test_permutation.py",
    "smallest_p": "arithmetic: test_exact.py",
}
PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
START, END = "<!-- table: make test-statistics -->", "<!-- end of the table -->"
_KINDS = {
    "size": "size: p ≤ .05 although nothing is", "power": "power",
    "coverage": "coverage of 95 % intervals", "says": "absent, or inconclusive, and says so",
}  # fmt: skip


def uncovered(exported: Sequence[str]) -> list[str]:
    """Exported names that have neither a case nor a reason why they need none."""
    known = {case.function for case in CASES} | set(NO_INFERENCE)
    return sorted(set(exported) - known)


def table(rates: Sequence[Rate]) -> str:
    """Markdown tables, one a kind."""
    parts = []
    for kind, title in _KINDS.items():
        rows = [r for r in rates if r.case.kind == kind]
        low, high = BOUNDS[rows[0].case.kind] if rows else (0.0, 0.0)
        within = "" if kind in ("power", "says") else f" (bounds {low:g} to {high:g})"
        lines = [f"**{title[0].upper()}{title[1:]}**{within}", ""]
        lines += ["| function | structure | n | rate ± s.e. | draws |", "|---|---|---|---|---|"]
        for r in rows:
            low, high = r.case.bounds
            theory = f" ({r.case.theory}: {r.case.target:g}, bounds {low:.3g} to {high:.3g})"
            what = r.case.structure + (theory if r.case.theory else "")
            rate = "yes" if kind == "says" and r.sound else f"{r.rate:.3f} ± {r.error:.3f}"
            mark = "" if r.sound else " **outside**"
            lines.append(
                f"| `{r.case.function}` | {what} | {r.case.n} | {rate}{mark} | {r.draws} |"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def write(text: str, page: Path) -> None:
    """Put a text between the marks of the page."""
    before, rest = page.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    write_text(page, f"{before}{START}\n\n{text}\n\n{END}{after}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign; returns how it ends, 1 if anything was found."""
    prog = "python -m tests.statistics.calibration.campaign"
    parser = argparse.ArgumentParser(description=__doc__, prog=prog)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the draws of every case")
    parser.add_argument("--only", nargs="*", default=[], help="exported functions")
    parser.add_argument("--write", action="store_true", help=f"the table into {PAGE.name}")
    asked = parser.parse_args(argv)
    findings = [f"{name}: no calibration case" for name in uncovered(statistics.__all__)]
    rates: list[Rate] = []
    begun = time.process_time()
    for case in CASES:
        if asked.only and case.function not in asked.only:
            continue
        since = time.process_time()
        found = run(case, seed=asked.seed, scale=asked.scale)
        rates.append(found)
        spent, mark = time.process_time() - since, "" if found.sound else "  OUTSIDE"
        print(
            f"{case.kind:9}{found.rate:.3f} ± {found.error:.3f}  {spent:5.1f} s  {case.function}: "
            f"{case.structure}, {case.n}{mark}",
            flush=True,
        )
        if not found.sound:
            findings.append(f"{case.title}: {found.rate:.3f} ± {found.error:.3f}")
    spent = time.process_time() - begun
    if asked.write and not asked.only:
        made = (
            f"Made by `make test-statistics`: seed {asked.seed}, {len(rates)} cases, {spent:.0f} s "
            f"of one processor; scale of the draws {asked.scale:g}."
        )
        write(f"{made}\n\n{table(rates)}", PAGE)
    for finding in findings:
        print(f"FINDING {finding}", flush=True)
    print(f"seed {asked.seed}: {len(findings)} findings in {len(rates)} cases, {spent:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
