"""What masks do to the reconstruction itself: planted changes are found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mua_decode.analyses.ablate.changes import change_table, condition_changes
from mua_decode.analyses.ablate.predictions import prediction_table, prediction_tests
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.metrics import Colour, CueDifference, CuePixels, Motion
from mua_decode.simulation import (
    CueParameters,
    FrameParameters,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)
from mua_decode.statistics import Units
from mua_decode.types import SiteMask

METRICS = [CuePixels(), CueDifference(), Colour(), Motion()]
STIMULI = render_stimuli(
    StimulusParameters(
        timing=TrialTiming(fixation_s=0.1, cue_s=0.2, stimulus_s=1.2),
        frame=FrameParameters(),
        cues=CueParameters(outlines=["cross", "circle"]),
        directions_deg=[90, -30],
        variants=20,
    ),
    seed=np.random.SeedSequence(0),
)
TRUE = np.ascontiguousarray((255 * STIMULI.mean_videos()).astype(np.uint8).swapaxes(1, 2))
NAMES = STIMULI.names
CUE, DOTS = slice(1, 3), slice(3, 15)
ABOUT = {"metrics": METRICS, "stimuli": STIMULI, "names": NAMES}
GUESS = {"direction_error": 90.0}


def kept(folder: Path, region: str, videos: np.ndarray) -> MaskScores:
    """Scores of a mask that holds a mean video, as they are read from a file."""
    family, regions = ("region", (region,)) if region else ("unmasked", ())
    mask = SiteMask(family=family, keep=np.ones(3, bool), regions=regions)
    scores = MaskScores(
        mask=mask, fill="zero", single={}, undefined={}, average={}, predicted=videos
    )
    return scores.save(folder / f"{region or 'none'}.npz", video=True)


def cue_alone_gone(videos: np.ndarray) -> np.ndarray:
    out = videos.copy()
    out[:, :, CUE] = 20
    return out


def still(videos: np.ndarray, conditions: slice = slice(None)) -> np.ndarray:
    """The dots as a picture that does not move."""
    out = videos.copy()
    out[conditions, :, DOTS] = out[conditions, :, DOTS].mean(2, keepdims=True).astype(np.uint8)
    return out


def pale(videos: np.ndarray) -> np.ndarray:
    """Every colour fades to the mean of all of them: nothing is left of which it was."""
    out = videos.copy()
    out[:, :, DOTS] = out[:, :, DOTS].mean(0, keepdims=True).astype(np.uint8)
    return out


@pytest.fixture
def scored(tmp_path: Path) -> list[MaskScores]:
    masked = {"": TRUE, "V4": cue_alone_gone(TRUE), "MT": still(TRUE), "PFC": TRUE}
    return [kept(tmp_path, region, videos) for region, videos in masked.items()]


def test_changes_find_what_a_mask_moves_and_nothing_else(scored: list[MaskScores]) -> None:
    labels = STIMULI.conditions
    units = dict.fromkeys((m.name for m in METRICS), Units.crossed([("cues", labels["cue"])]))
    found = condition_changes(scored, guess=GUESS, units=units, **ABOUT)
    table = change_table(found, rng=np.random.default_rng(0)).set_index(["removed", "metric"])
    assert (table.loc["PFC"][["change", "n_undefined"]] == 0).all().all()
    assert table.loc["V4", "cue_pixels"]["change"] > 20
    assert table.loc["V4", "cue_difference"]["change"] > 1
    assert table.loc["V4", "direction_error"]["change"] == 0
    assert table.loc["MT", "cue_pixels"]["change"] == 0
    still_dots = table.loc["MT", "direction_error"]
    assert (still_dots["change"], still_dots["n_undefined"]) == (90, len(NAMES))
    assert (table["n"] == len(NAMES)).all()  # no region is judged on conditions of its own
    assert set(table["interval_of"]) == {f"these {len(NAMES)} conditions"}
    assert set(table["n_units"]) == {2}


def test_conditions_without_a_direction_unmasked_are_left_out_for_all_alike(tmp_path: Path) -> None:
    reference = still(TRUE, slice(0, 3))
    masked = {"": reference, "MT": still(TRUE), "PFC": TRUE}
    scored = [kept(tmp_path, region, videos) for region, videos in masked.items()]
    found = condition_changes(scored, guess=GUESS, **ABOUT)
    motion = found[found["metric"] == "direction_error"]
    for _, rows in motion.groupby("removed"):
        assert rows["change"].isna().tolist() == [True] * 3 + [False] * (len(NAMES) - 3)
    n = change_table(found, rng=np.random.default_rng(0)).set_index(["removed", "metric"])["n"]
    assert n["MT", "direction_error"] == n["PFC", "direction_error"] == len(NAMES) - 3


def test_the_published_test_sees_predictions_that_shift_together(tmp_path: Path) -> None:
    darker = TRUE.copy()
    darker[:, 0, DOTS] = (0.4 * darker[:, 0, DOTS]).astype(np.uint8)  # less red everywhere
    masked = {"": TRUE, "LIP": darker, "V4": cue_alone_gone(TRUE), "PFC": TRUE}
    scored = [kept(tmp_path, region, videos) for region, videos in masked.items()]
    tests = prediction_tests(prediction_table(scored, **ABOUT)).frame
    k = len(NAMES)
    assert (tests["df"].dropna() == 2 * k - 2).all()
    assert (tests["n"] == 2 * k).all()
    assert set(tests["correction"]) == {"Holm over 3"}
    assert tests["question"].str.startswith("published test, quantity our reading").all()
    quantity = tests["metric"].str.split(",").str[0]
    p = tests.assign(quantity=quantity).set_index(["group", "quantity"])["p_corrected"]
    assert p["LIP", "predicted_red"] < 0.01
    assert p["V4", "predicted_cue_pixels"] < 1e-6
    assert p["V4", "predicted_cue_grey"] < 1e-6
    assert (p["PFC"] > 0.9).all()
    assert p["LIP", "predicted_cue_pixels"] > 0.9
    assert p["V4", "predicted_direction"] > 0.9


def test_the_published_test_is_blind_to_what_leaves_the_mean_where_it_was(tmp_path: Path) -> None:
    scored = [kept(tmp_path, r, v) for r, v in {"": TRUE, "LIP": pale(TRUE)}.items()]
    tests = prediction_tests(prediction_table(scored, metrics=[Colour()], **{
        k: v for k, v in ABOUT.items() if k != "metrics"
    })).frame  # fmt: skip
    assert (tests["p"] > 0.3).all()
    assert tests["note"].str.contains("not seen by this test").all()
    changed = condition_changes(scored, guess=GUESS, **ABOUT)
    colour = changed[changed["metric"] == "colour_error"]["change"]
    assert colour.min() > 5


def test_an_undefined_direction_counts_as_90_degrees_off_to_either_side(
    scored: list[MaskScores],
) -> None:
    found = prediction_table(scored, **ABOUT)
    motion = found[(found["quantity"] == "predicted_direction") & (found["removed"] == "MT")]
    assert motion["undefined"].all()
    off = motion["masked"] - motion["without"]
    assert off.abs().tolist() == pytest.approx([90] * len(NAMES))
    assert off.sum() == pytest.approx(0)
    tests = prediction_tests(found).frame
    row = tests[(tests["group"] == "MT") & tests["metric"].str.startswith("predicted_direction")]
    assert f"{len(NAMES)} undefined under the mask counted as 90" in row["note"].iloc[0]
    assert np.isnan(row["p"].iloc[0])  # guesses alone: to either side, they find nothing
    assert row["note"].str.startswith("no p, too many are guesses").all()
    seen = tests[(tests["group"] == "V4") & tests["metric"].str.startswith("predicted_direction")]
    assert seen["note"].str.startswith("0 undefined under the mask").all()
    assert seen["p"].notna().all()


def test_directions_that_all_turn_are_found_past_180_degrees_too(tmp_path: Path) -> None:
    masked = {"": TRUE, "MT": np.rot90(TRUE, axes=(3, 4)), "V4": np.rot90(TRUE, -1, axes=(3, 4))}
    scored = [kept(tmp_path, r, np.ascontiguousarray(v)) for r, v in masked.items()]
    found = prediction_table(scored, **ABOUT | {"metrics": [Motion()]})
    assert found["masked"].abs().max() > 180  # measured as beginning anew at -180
    off = (found["masked"] - found["without"]).groupby(found["removed"])
    assert off.mean().abs().to_dict() == pytest.approx({"MT": 90, "V4": 90}, abs=5)
    assert off.std().max() < 20
    p = prediction_tests(found).frame["p"]
    assert len(p) == 2
    assert (p < 0.01).all()
