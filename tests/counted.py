"""Does every table file say what its n counts?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

_COUNTS = ("n", "n_units")  # counts that do not say of what: the column beside does
_UNITS = {"n": ("n_unit", "interval_of"), "n_units": ("units", "unit")}
# Lists of things, in which a row is one thing and no estimate over several.
_LISTS = (
    "epochs", "losses", "predictions", "points", "distributions", "trials", "measures", "subsets",
    "traces", "spectra", "sites", "images", "effective", "effective_answers", "predicted_curves",
    "categories", "comparison", "answers", "shown", "videos",
)  # fmt: skip


def uncounted(folder: Path) -> list[str]:
    """Tables below a folder with a row that has a value and names no unit, or no n."""
    wrong = []
    for path in sorted(folder.rglob("*.csv")):
        name = path.stem
        if "csv_logs" in path.parts or name.startswith(("planted_", "points_")) or name in _LISTS:
            continue
        if path.read_text(encoding="utf-8").startswith("# not applicable"):
            continue
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        said = [c for c in table if c.startswith("n_") and c not in ("n_unit", "n_units")]
        said += [c for c in ("folds", "trials_per_condition", "draws") if c in table]
        counts = [c for c in _COUNTS if c in table]
        if not counts and not said:
            wrong.append(f"{path.relative_to(folder)}: no n")
        for count in counts:
            units = [c for c in _UNITS[count] if c in table]
            known = table[count].notna() & (table[count] != 0)
            if not units or table.loc[known, units].isna().all(axis=1).any():
                wrong.append(f"{path.relative_to(folder)}: {count} without its unit")
    return wrong
