from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.mixed import mixed_losses
from mua_decode.statistics import Units

LEVEL = np.indices((4, 4, 4)).reshape(3, -1)
UNITS = Units.crossed(list(zip(("cues", "colours", "directions"), LEVEL, strict=True)))


def losses(effects: dict[str, float], rng: np.random.Generator, *, units: Units) -> pd.DataFrame:
    """Loss of every region in 64 conditions; half of its variance belongs to the cue."""
    parts = [
        pd.DataFrame(
            {
                "fill": fill, "trial": "single_trial", "metric": "ssim", "removed": region,
                "loss": effect + rng.normal(size=4)[LEVEL[0]] + rng.normal(size=64),
                "units": units.name, "level": units.labels,
            }
        )
        for fill in ("shuffle", "zero")
        for region, effect in effects.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_a_planted_region_is_found_others_are_not_and_both_views_agree() -> None:
    rng = np.random.default_rng(0)
    effects = {"planted": 5.0} | {f"nothing {i}": 0.0 for i in range(20)}
    table = mixed_losses(losses(effects, rng, units=UNITS), correction="none").set_index("group")
    assert len(table) == len(effects)  # of the first fill
    assert table.loc["planted", "p"] < 0.01
    assert (table["p"].drop("planted") <= 0.05).sum() <= 3  # of 20
    assert (table["agrees"] == "yes").sum() >= 19  # of 21
    assert set(table["n_unit"]) == {"cues × colours × directions"}
    assert set(table["n"]) == {4}
    note = table.loc["planted", "note"]
    assert note.startswith("share of the variance: cues 0.")
    assert note.count(",") == 3
    corrected = mixed_losses(losses({"a": 5.0, "b": 0.0}, rng, units=UNITS))
    assert set(corrected["correction"]) == {"Holm over 2"}


def test_conditions_that_share_nothing_have_no_mixed_view() -> None:
    rng = np.random.default_rng(1)
    assert not len(mixed_losses(losses({"a": 5.0}, rng, units=Units.each(64))))
    groups = np.arange(64) // 2
    linked = Units.crossed([("groups of conditions that share recorded trials", groups)])
    assert not len(mixed_losses(losses({"a": 5.0}, rng, units=linked)))
