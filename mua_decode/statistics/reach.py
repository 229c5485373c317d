"""How small a p can get that is the rank among draws, once it is corrected."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mua_decode.statistics.correction import CORRECTIONS
from mua_decode.types import HypothesisTable

_OVER = " over "


def corrected_reach(
    draws: int, correction: str, *, drawn: str, option: str, alpha: float = 0.05
) -> str:
    """Say that draws are too few for any p to reach ``alpha`` after the correction; else empty.

    A rank among n draws is at least 1 / (1 + n) (Phipson and Smyth 2010,
    doi 10.2202/1544-6115.1585), which Holm multiplies by the size of the family. Benjamini and
    Hochberg divide by how many reach it together: then it says how many have to.

    Parameters
    ----------
    draws
        Permutations, shifts: draws of the null distribution.
    correction
        As a :class:`HypothesisTable` says it: "Holm over 5", "none".
    drawn, option
        What is drawn, plural, and the option that sets how many.
    """
    method, _, size = correction.partition(_OVER)
    family = int(size) if size.isdigit() else 1
    least = 1 / (1 + draws)
    corrected = min(1.0, family * least)
    if corrected <= alpha * (1 + 1e-9):
        return ""
    enough = math.ceil(round(family / alpha, 6))
    said = f"{draws} {drawn}: p is at least {least:.3g}"
    if method == CORRECTIONS["fdr_bh"] and least <= alpha:
        together = math.ceil(round(family * least / alpha, 6))
        said += f", so that after {correction} none is below {alpha:g} unless {together} are"
    elif family > 1:
        said += f", {corrected:.3g} after {correction}, so that none can reach {alpha:g}"
    else:
        said += f", so that it cannot reach {alpha:g}"
    return f"{said}; {option}={enough} is enough for one alone"


def with_reach(
    table: HypothesisTable, draws: int, *, drawn: str, option: str, alpha: float = 0.05
) -> tuple[HypothesisTable, Sequence[str]]:
    """Note it in every row whose test names the draws ("19 circular shifts").

    Returns
    -------
    The table, and what was noted, every line once.
    """
    frame = table.frame.copy()
    named = frame["test"].str.contains(f"{draws} {drawn}", regex=False)
    said = {
        how: corrected_reach(draws, str(how), drawn=drawn, option=option, alpha=alpha)
        for how in frame.loc[named, "correction"].unique()
    }
    notes = frame["correction"].map(said).fillna("").where(named, "")
    joined = [
        "; ".join(filter(None, (str(old), new)))
        for old, new in zip(frame["note"], notes, strict=True)
    ]
    return HypothesisTable(frame.assign(note=joined)), list(dict.fromkeys(filter(None, notes)))
