"""A pickle that runs code, under the name of every kind of file that is read."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mua_decode.commands.main import main
from mua_decode.runs.search_path import config_folder

FRAMES = [
    f"images/stimulus_fullfield/stimSelected-zoom1x/movie1/natural{n:02d}.png" for n in (1, 2)
]
SINAPS = "recording.format=sinaps_research_platform"


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("__import__('pathlib').Path('ran').touch()",)


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (["r.h5"], ["recording=native", "recording.path=r.h5"]),
        (["r.nwb"], ["recording=nwb", "recording.path=r.nwb"]),
        (["s.mat"], ["recording=lab_sessions", "recording.path=s.mat"]),
        (["r.yaml"], ["recording=arrays", "recording.path=r.yaml"]),
        (
            [f"{p}_{w}.pt" for p in ("train", "val", "test") for w in ("input", "output")],
            ["recording=tensors", "recording.root=."],
        ),
        (
            [f"{p}_{w}.npy" for p in ("train", "val", "test") for w in ("input", "output")],
            ["recording=tensors", "recording.root=."],
        ),
        (["s.npz"], ["recording=arrays", "recording.path=described.yaml"]),
        (["s.npy"], ["recording=arrays", "recording.path=described.yaml"]),
        (
            ["responses_1.npy", "images_1.zip"],
            ["recording=v4_images", "recording.root=.", "recording.session=1"],
        ),
        (["film.npz"], ["recording=film", "recording.path=film.npz"]),
        (
            ["V1_responses/a_image_sequences.mat", *FRAMES],
            ["recording=v1_movies", "recording.root=."],
        ),
        (["r.pkl"], ["recording=neo", "recording.path=r.pkl", "recording.format=Pickle"]),
        (["r.npz"], ["recording=spikeinterface", "recording.path=r.npz", "recording.format=npz"]),
        (["r.bin", "metadata_r.txt"], ["recording=raw", "recording.path=r.bin", SINAPS]),
    ],
)
def test_no_code_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: list[str],
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        evaluated = name.endswith(".txt")
        text = f"nbHWAux={Evil().__reduce__()[1][0]}\n"
        Path(name).write_bytes(text.encode() if evaluated else pickle.dumps(Evil()))
    if "described" in str(options):
        where = "arrays: s.npz\n" if files == ["s.npz"] else ""
        counts = "counts" if where else "s.npy"
        Path("described.yaml").write_text(
            f"{where}sessions: [{{name: a, counts: {counts}, condition: [0, 1], region: V4}}]\n"
            f"stimuli: {{videos: {counts}, frame_s: 0.1}}\n"
        )
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *options])
    assert stop.value.code == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("mua-decode: ")]
    assert len(lines) == 1
    assert any(Path(name).name in lines[0] for name in files), lines[0]
    assert not Path("ran").exists()


def test_every_reader_is_given_code() -> None:
    """A reader that is added here runs none either, or this test says so."""
    marks = test_no_code_runs.pytestmark  # type: ignore[attr-defined]
    given = {o.removeprefix("recording=") for o in str(marks).split("'") if o.startswith("reco")}
    configs = (config_folder() / "recording").glob("*.yaml")
    read = {p.stem for p in configs if "mua_decode.recordings.read_" in p.read_text()}
    assert len(read) > 9
    assert read <= given
