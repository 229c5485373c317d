from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.metrics import MSE, Colour, CueShape, Identification, Motion, Shown, VideoMetric
from mua_decode.scoring.evaluate import Evaluation, evaluate_decoder, not_applicable
from mua_decode.types import Segment, StimulusSet

PARTS = (Segment("fixation", 0, 2), Segment("cue", 2, 4), Segment("stimulus", 4, 9))


def stimuli(*, channels: int = 3, segments: Sequence[Segment] = PARTS) -> StimulusSet:
    rng = np.random.default_rng(0)
    frames = segments[-1].stop
    return StimulusSet(
        videos=rng.integers(0, 256, (2, frames, channels, 16, 16), dtype=np.uint8),
        condition=np.arange(2),
        conditions=pd.DataFrame({"name": ["a", "b"]}),
        segments=tuple(segments),
        frame_s=0.1,
    )


def evaluate(shown: StimulusSet, metrics: Sequence[VideoMetric]) -> Evaluation:
    candidates = torch.from_numpy(shown.mean_videos()).transpose(1, 2)
    condition = torch.tensor([0, 1, 1, 0])
    batch = Batch(torch.zeros(4, 1, 1), candidates[condition], condition, torch.arange(4))

    def predict(batch: Batch) -> Tensor:
        decoded = batch.video.clone()
        decoded[:, :, 2:4] *= 0.5
        return decoded

    return evaluate_decoder(
        predict,
        [batch, batch],
        stimuli=shown,
        candidates=candidates,
        metrics=metrics,
        identify=Identification(similarity="correlation").predicted_condition,
        run="decoder",
        split="test",
    )


class LastFrame:
    """Scores any segment, of videos that have at least three frames."""

    name = "last_frame"
    unit = "1"
    higher_is_better = True
    segment = None

    def not_applicable(self, shape: Sequence[int]) -> str | None:
        return None if shape[1] >= 3 else "needs three frames"

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        return predicted[:, :, -1].flatten(1).mean(1)


def test_a_metric_with_a_segment_is_scored_there_alone() -> None:
    table = evaluate(stimuli(), [MSE(), CueShape(), Colour()]).table.frame
    rows = table[table["condition"] == "all"].set_index(["metric", "segment", "trial"])
    found = {metric: set(part["segment"]) for metric, part in table.groupby("metric")}
    assert found == {
        "mse": {"all", "fixation", "cue", "stimulus"},
        "cue_shape": {"cue"},
        "colour_error": {"stimulus"},
    }
    for trial, n in (("single_trial", 8), ("trial_average", 2)):
        assert rows.loc[("mse", "fixation", trial), "value"] == 0
        assert rows.loc[("mse", "cue", trial), "value"] > 0
        assert np.isclose(rows.loc[("cue_shape", "cue", trial), "value"], 1)
        assert rows.loc[("colour_error", "stimulus", trial), "value"] < 1e-3
        assert rows.loc[("colour_error", "stimulus", trial), "n"] == n
        assert rows.loc[("colour_error", "stimulus", trial), "unit"] == "RGB 0-255"


def test_a_metric_that_does_not_apply_is_left_out_and_says_why() -> None:
    movie = stimuli(channels=1, segments=[Segment("movie", 0, 6)])
    table = evaluate(movie, [MSE(), CueShape(), Colour(), Motion(), LastFrame()]).table.frame
    assert set(table["metric"]) == {"mse", "last_frame"}
    assert set(table["segment"]) == {"all"}
    assert not_applicable(CueShape(), movie) == "needs a segment 'cue', the recording has 'movie'"
    assert not_applicable(MSE(), movie) is None
    grey = stimuli(channels=1)
    assert not_applicable(CueShape(), grey) is None
    assert not_applicable(Motion(), grey) is None
    assert not_applicable(Colour(), grey) == "needs RGB frames, found 1 channel(s)"
    assert not_applicable(Motion(segment="cue"), grey) == "needs more than 2 frames, found 2"


def test_only_segment_of_a_recording_can_be_named() -> None:
    movie = stimuli(segments=[Segment("movie", 0, 6)])
    table = evaluate(movie, [Motion(segment="movie"), LastFrame()]).table.frame
    named = table[table["metric"] == "direction_error"]
    assert set(named["segment"]) == {"movie"}
    # noise has no direction: no value, and n says that none was averaged
    assert named["value"].isna().all()
    assert (named["n"] == 0).all()


def test_a_metric_of_any_segment_is_spared_the_segments_it_cannot_score() -> None:
    table = evaluate(stimuli(), [LastFrame()]).table.frame
    assert set(table["segment"]) == {"all", "stimulus"}
