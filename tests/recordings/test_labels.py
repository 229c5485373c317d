"""What the trials of a published sample showed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.recordings import ConditionOrder
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.types import InputError, LeakState, Recording
from tests.recordings.sample import SMALL, simulated_small, write_sample

TASK = {
    "cues": ["cross", "quatrefoil", "circle", "triangle"],
    "colours": ["green", "lime", "orange", "red"],
    "directions_deg": [90.0, 30.0, -30.0, -90.0],
}


COLUMNS = ["cue", "colour", "direction_deg"]


def read(folder: Path, *options: str) -> Recording:
    return build_recording(compose("inspect", [*SMALL, f"recording.root={folder}", *options]))


def names_of(recording: Recording) -> dict[str, list[str]]:
    (session,) = recording.sessions
    names = np.array(recording.stimuli.names)[session.condition]
    parts = session.trials["published_part"]
    return {str(p): names[(parts == p).to_numpy()].tolist() for p in parts.unique()}


@pytest.fixture(scope="module")
def alike() -> Recording:
    return simulated_small()


@pytest.fixture(scope="module")
def variants() -> Recording:
    return simulated_small(variants=5)


def test_64_conditions_stimulus_outer_cue_inner() -> None:
    table = ConditionOrder(**TASK, outer="colour", arranged="blocks").table
    assert len(table) == 64
    assert table["name"].tolist()[:5] == [
        "cross green 90", "quatrefoil green 90", "circle green 90", "triangle green 90",
        "cross green 30",
    ]  # fmt: skip
    other = ConditionOrder(**TASK, outer="direction", arranged="blocks").table
    assert other["name"].tolist()[4] == "cross lime 90"
    assert sorted(other["name"]) == sorted(table["name"])


@pytest.mark.parametrize("outer", ["colour", "direction"])
@pytest.mark.parametrize("arranged", ["blocks", "cycles"])
@pytest.mark.parametrize("kind", ["alike", "variants"])
def test_the_order_in_the_file_labels_every_trial(
    tmp_path: Path, outer: str, arranged: str, kind: str, request: pytest.FixtureRequest
) -> None:
    source: Recording = request.getfixturevalue(kind)
    names = write_sample(source, tmp_path, outer=outer, arranged=arranged, margin=2)
    order = [f"recording.order.outer={outer}", f"recording.order.arranged={arranged}"]
    found = read(tmp_path, "recording.labels=published", *order)
    assert names_of(found) == names
    conditions = found.stimuli.conditions
    assert set(conditions.columns) == {"name", "cue", "colour", "direction_deg"}
    assert found.stimuli.n_conditions == 8
    # Every trial has the very video it was stored with, cropped.
    (session,) = found.sessions
    video = found.stimuli.videos[session.trials["video"].to_numpy()]
    known = {n: source.stimuli.videos[source.stimuli.variants(k)]
             for k, n in enumerate(source.stimuli.names)}  # fmt: skip
    for row, name in enumerate(n for p in names.values() for n in p):
        assert (video[row] == known[name]).all(axis=(1, 2, 3, 4)).any()
    assert LeakState.of("published", stored=found.stored) is LeakState.UNKNOWN


@pytest.mark.parametrize("kind", ["alike", "variants"])
@pytest.mark.parametrize(
    "wrong", ["recording.order.outer=direction", "recording.order.arranged=cycles"]
)
def test_an_order_that_the_videos_contradict_is_refused(
    tmp_path: Path, kind: str, wrong: str, request: pytest.FixtureRequest
) -> None:
    write_sample(request.getfixturevalue(kind), tmp_path)
    with pytest.raises(
        InputError, match=r"recording\.labels: (train|val|test) trial \d+"
    ) as caught:
        read(tmp_path, "recording.labels=published", wrong)
    assert "\n" not in str(caught.value)


def test_trials_that_do_not_divide_are_refused(tmp_path: Path, alike: Recording) -> None:
    write_sample(alike, tmp_path)
    with pytest.raises(InputError, match="train: 56 trials cannot be 12 conditions"):
        read(tmp_path, "recording.labels=published", "recording.order.cues=[cross,circle,dot]")


def test_a_table_of_conditions_labels_by_order_or_by_the_stored_numbers(
    tmp_path: Path, alike: Recording
) -> None:
    names = write_sample(alike, tmp_path)
    table = pd.DataFrame([n.split(" ") for n in dict.fromkeys(names["train"])])
    table.columns = ["cue", "colour", "direction_deg"]
    table.to_csv(tmp_path / "conditions.csv", index=False)
    found = read(tmp_path, "recording.labels=conditions.csv")
    assert names_of(found) == names
    assert found.stimuli.conditions["direction_deg"].tolist()[:2] == [90, 90]
    # Shuffled trials, each with the number of its row: the place says nothing any more.
    rng = np.random.default_rng(0)
    listed = list(dict.fromkeys(names["train"]))
    import torch

    for part, of in names.items():
        order = rng.permutation(len(of))
        for what in ("input", "output"):
            path = tmp_path / f"{part}_{what}.pt"
            torch.save(torch.load(path)[order].clone(), path)
        names[part] = [of[i] for i in order]
        number = np.array([listed.index(n) for n in names[part]])
        np.save(tmp_path / f"{part}_condition.npy", number)
    assert names_of(read(tmp_path, "recording.labels=conditions.csv")) == names
    np.save(tmp_path / "val_condition.npy", np.full(8, 8))
    with pytest.raises(InputError, match=r"has 8 conditions, but a PART_condition names number 8"):
        read(tmp_path, "recording.labels=conditions.csv")


def test_a_table_of_trials_labels_each(tmp_path: Path, variants: Recording) -> None:
    names = write_sample(variants, tmp_path)
    rows = [
        {"part": part, "trial": i, **dict(zip(COLUMNS, n.split(" "), strict=True))}
        for part, of in names.items()
        for i, n in enumerate(of)
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "trials.csv", index=False)
    path = f"recording.labels={tmp_path / 'trials.csv'}"
    assert names_of(read(tmp_path, path)) == names
    table.iloc[1:].to_csv(tmp_path / "trials.csv", index=False)
    with pytest.raises(InputError, match="one row for every part and trial"):
        read(tmp_path, path)
    swapped = table.assign(cue=table["cue"].map({"cross": "circle", "circle": "cross"}))
    swapped.to_csv(tmp_path / "trials.csv", index=False)
    read(tmp_path, path)  # names of cues are nowhere in the videos
    one = table.reset_index(drop=True)
    one.loc[0, "cue"] = {"cross": "circle", "circle": "cross"}[str(one.loc[0, "cue"])]
    one.to_csv(tmp_path / "trials.csv", index=False)
    with pytest.raises(InputError, match=r"show the same video|its video looks like"):
        read(tmp_path, path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("recording.labels=nowhere.csv", "no such file"),
        ("recording.order.outer=cue", "choose from colour, direction"),
        ("recording.order.colours=[red,red]", "expected distinct values"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, alike: Recording, option: str, message: str
) -> None:
    write_sample(alike, tmp_path, parts=["train"])
    with pytest.raises(InputError, match=message):
        read(tmp_path, "recording.labels=published", option)
