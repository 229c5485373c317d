"""Pooled tensors, and what can be wrong with them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, Window, window_session
from mua_decode.recordings import read_tensors
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.types import InputError, Recording

SITES = [("V4", 2), ("MT", 1)]


def write(folder: Path, *, video_px: int = 6, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Three distinct videos, each shown in several trials of every part."""
    rng = np.random.default_rng(0)
    shown = rng.random((3, 4, 3, video_px, video_px)).astype(np.float32)
    arrays: dict[str, np.ndarray] = {}
    for part, n in (("train", 30), ("val", 9), ("test", 12)):
        which = np.arange(n) % 3
        activity = rng.normal(shift + which[:, None, None], 1, (n, 4, 3)).astype(np.float32)
        arrays |= {f"{part}_input": activity, f"{part}_output": shown[which]}
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        torch.save(torch.from_numpy(np.ascontiguousarray(array)), folder / f"{name}.pt")
    return arrays


def read(folder: Path, **options: object) -> Recording:
    given = {"sites": SITES, "bin_s": 0.1, "video_max": 1, "standardised": True, **options}
    return read_tensors(str(folder), **given)  # type: ignore[arg-type]


def test_activity_keeps_its_sign_and_videos_are_stored_once(tmp_path: Path) -> None:
    arrays = write(tmp_path)
    recording = read(tmp_path, crop=4)
    (session,) = recording.sessions
    assert recording.stimuli.videos.shape == (3, 4, 3, 4, 4)
    expected = np.rint(arrays["val_output"][1][..., 1:5, 1:5] * 255)
    np.testing.assert_array_equal(recording.stimuli.videos[1], expected)
    windowed = window_session(session, None)
    every = np.concatenate([arrays[f"{p}_input"] for p in ("train", "val", "test")])
    np.testing.assert_array_equal(windowed.counts, every)
    assert windowed.counts.min() < 0
    assert session.trials["published_part"].value_counts()["val"] == 9
    assert (session.sites.region == ["V4", "V4", "MT"]).all()
    with pytest.raises(InputError, match=r"standardised .* set data\.window=null"):
        window_session(session, Window(width_s=0.2, step_s=0.2))


def test_standardised_activity_reaches_the_network(tmp_path: Path) -> None:
    write(tmp_path, video_px=12)
    recording = read(tmp_path)
    plan = PseudoTrialPlan(per_condition=20)
    data = DecodingData(recording, window=None, split=SplitPlan(), pseudo=plan)
    spikes = torch.cat([b.spikes for b in data.batches("train")])
    assert spikes.mean().abs() < 0.2
    assert spikes.std() == pytest.approx(1, abs=0.2)
    with pytest.raises(InputError, match=r"data\.root=true takes square roots of counts"):
        DecodingData(recording, window=None, split=SplitPlan(), pseudo=plan, root=True)


def test_negative_counts_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match=r"train_input.pt: expected counts >= 0, .*standardised"):
        read(tmp_path, standardised=False)


def test_files_are_mapped_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    seen: list[object] = []
    load = torch.load

    def spy(*args: object, **kwargs: object) -> object:
        seen.append((kwargs["mmap"], kwargs["weights_only"]))
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "load", spy)
    read(tmp_path)
    assert set(seen) == {(True, True)}


def test_the_config_holds_the_published_order_of_sites(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for part in ("train", "val", "test"):
        np.save(tmp_path / f"{part}_input.npy", rng.normal(size=(4, 45, 140)))
        np.save(tmp_path / f"{part}_output.npy", np.zeros((4, 45, 3, 64, 64), np.float32))
    cfg = compose("inspect", ["recording=tensors", f"recording.root={tmp_path}"])
    recording = build_recording(cfg)
    regions = recording.sites.region
    assert [(r, int((regions == r).sum())) for r in recording.sites.regions] == [
        ("PFC", 30), ("FEF", 30), ("LIP", 30), ("MT", 20), ("IT", 10), ("V4", 20)
    ]  # fmt: skip
    assert recording.stimuli.videos.shape == (1, 45, 3, 32, 32)


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return eval, ("__import__('pathlib').Path('ran').touch()",)


def _torch_code(folder: Path) -> None:
    torch.save(Evil(), folder / "train_input.pt")


def _plain_pickle(folder: Path) -> None:
    (folder / "train_input.pt").write_bytes(pickle.dumps(Evil()))


def _npy_code(folder: Path) -> None:
    (folder / "train_input.pt").unlink()
    np.save(folder / "train_input.npy", np.array([Evil()], object), allow_pickle=True)


def _cut(folder: Path) -> None:
    path = folder / "train_output.pt"
    path.write_bytes(path.read_bytes()[:900])


def _dictionary(folder: Path) -> None:
    torch.save({"a": torch.zeros(3)}, folder / "train_input.pt")


def _sites(folder: Path) -> None:
    torch.save(torch.zeros(30, 4, 5), folder / "train_input.pt")


def _trials(folder: Path) -> None:
    torch.save(torch.zeros(31, 4, 3, 6, 6), folder / "train_output.pt")


def _missing(folder: Path) -> None:
    (folder / "val_output.pt").unlink()


def _range(folder: Path) -> None:
    torch.save(torch.full((30, 4, 3, 6, 6), 200.0), folder / "train_output.pt")


def _some_labels(folder: Path) -> None:
    torch.save(torch.zeros(30, dtype=torch.long), folder / "train_condition.pt")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_torch_code, "train_input.pt: refused, it holds objects that could run code"),
        (_plain_pickle, "train_input.pt: refused, it"),
        (_npy_code, "train_input.npy: refused, it holds Python objects, which could run code"),
        (_cut, "train_output.pt: refused, it is damaged"),
        (_dictionary, "train_input.pt: expected a saved tensor, found dict"),
        (_sites, r"train_input.pt: expected \(trials, bins, 3 sites\), found \(30, 4, 5\)"),
        (_trials, r"train_output.pt: expected \(30 trials, .*found \(31, 4, 3, 6, 6\)"),
        (_missing, "has no val_output"),
        (_range, r"train_output.pt: videos must lie in 0..1 \(video_max\), found 200"),
        (_some_labels, "some parts have a PART_condition and some do not"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path,
    spoil: Callable[[Path], None],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "files")
    spoil(tmp_path / "files")
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "files")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_the_central_crop_is_rows_and_columns_16_to_47(tmp_path: Path) -> None:
    arrays = write(tmp_path, video_px=64)
    recording = read(tmp_path, crop=32)
    expected = np.rint(arrays["train_output"][:3][..., 16:48, 16:48] * 255)
    np.testing.assert_array_equal(recording.stimuli.videos, expected)
