"""Plain arrays and the YAML file beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mua_decode.recordings import read_arrays
from mua_decode.types import InputError, Recording


def write(folder: Path, described: dict[str, Any] | None = None, **arrays: object) -> Path:
    rng = np.random.default_rng(0)
    held: dict[str, Any] = {
        "counts": rng.poisson(3, (12, 4)),
        "condition": np.arange(12) % 3,
        "images": np.arange(3 * 5 * 5, dtype=np.uint8).reshape(3, 5, 5),
        **arrays,
    }
    np.savez(folder / "r.npz", **{k: v for k, v in held.items() if v is not None})
    session = {"name": "a", "counts": "counts", "condition": "condition", "region": "V4"}
    stimuli = {"videos": "images", "frame_s": 0.1}
    whole: dict[str, Any] = {"sessions": [session], "stimuli": stimuli}
    for key, value in (described or {}).items():
        group, _, name = key.partition(".")
        target = {"session": session, "stimuli": stimuli}.get(group, whole) if name else whole
        if value is None:
            target.pop(name or group)
        else:
            target[name or group] = value
    (folder / "r.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    return folder / "r.yaml"


def read(path: Path) -> Recording:
    return read_arrays(str(path))


def test_responses_to_still_images(tmp_path: Path) -> None:
    recording = read(write(tmp_path).with_suffix(".npz"))
    (session,) = recording.sessions
    assert session.counts is not None
    assert session.counts.shape == (12, 1, 4)
    assert recording.stimuli.videos.shape == (3, 1, 1, 5, 5)
    assert set(session.sites.region) == {"V4"}
    assert (session.bin_s, session.window_s) == (0.1, 0.1)
    assert session.condition.tolist() == [0, 1, 2] * 4


def test_labels_per_site_in_lists_and_files(tmp_path: Path) -> None:
    np.save(tmp_path / "where.npy", np.array(["V4", "V4", "MT", "MT"]))
    ids = ["p", "q", "r", "s"]
    path = write(
        tmp_path,
        {"session.region": "where.npy", "session.site_id": ids, "stimuli.names": ["x", "y", "z"]},
    )
    recording = read(path)
    assert recording.sites.region.tolist() == ["V4", "V4", "MT", "MT"]
    assert recording.sites.site_id.tolist() == ids
    assert recording.stimuli.names == ["x", "y", "z"]


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("__import__('pathlib').Path('ran').touch()",)


@pytest.mark.parametrize(
    ("described", "arrays", "message"),
    [
        ({}, {"counts": np.zeros((11, 4))}, "counts have 11 trials, condition 12"),
        ({}, {"counts": np.zeros((2, 2, 2, 2))}, r"counts must be \(trials, bins, sites\)"),
        ({}, {"counts": np.full((12, 4), -1.0)}, "counts must be >= 0, found -1"),
        ({}, {"counts": np.array([Evil()], object)}, "counts: refused, it holds Python objects"),
        ({}, {"counts": None}, "counts: no array 'counts'"),
        ({}, {"condition": np.arange(12) / 2}, "condition: expected whole numbers, found float"),
        ({}, {"condition": np.arange(12)}, "condition 3 has no video"),
        ({}, {"images": np.full((3, 5, 5), 300)}, "videos: frames must be whole numbers 0..255"),
        ({"session.region": ["V4"]}, {}, r"region must be \(4,\), one per site, found \(1,\)"),
        ({"session.site_id": ["p", "p", "q", "r"]}, {}, "duplicate site id 'p'"),
        ({"session.region": None}, {}, "session 'a': needs 'region'"),
        ({"session.regoin": "V4"}, {}, r"'regoin' is not known \(did you mean 'region'"),
        ({"stimuli.frame_s": "fast"}, {}, "frame_s must be seconds, found fast"),
        ({"stimuli.frame_s": None}, {}, "frame_s must be seconds, found None"),
        ({"stimuli": None}, {}, "needs 'stimuli'"),
        ({"session.trials": "none.csv"}, {}, "trials: no such file"),
        ({"arrays": "other.npz"}, {}, "arrays: no such file"),
        ({"stimuli.segments": [["a", 3, 1]]}, {}, "cover 3 frames, but the videos have 1"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path,
    described: dict[str, Any],
    arrays: dict[str, object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, described, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = (tmp_path / "r.npz").read_bytes()
    (tmp_path / "r.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"r\.npz: is damaged or not a \.npz archive"):
        read(path)
    path.write_text("a: [1")
    with pytest.raises(InputError, match="is not YAML"):
        read(path)
    path.write_text("!!python/object/apply:os.system ['touch ran']")
    with pytest.raises(InputError, match="is not YAML"):
        read(path)
    path.unlink()
    with pytest.raises(InputError, match=r"no such file: .*r\.yaml"):
        read(path)
