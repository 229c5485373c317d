"""The authors' files go through the commands: their sample, their weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from mua_decode.commands.main import main
from mua_decode.models import InvertedVideoUNet, VideoUNet
from mua_decode.recordings import write_recording
from mua_decode.reproduce.plan import ReproducePlan
from mua_decode.reproduce.reproduce import Reproduction
from mua_decode.runs.adopt import ForeignWeights, read_weights
from mua_decode.runs.adopt import adopt as adopt_weights
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.types import LeakState
from tests.recordings.sample import SMALL, simulated_small, write_sample
from tests.runs.authors_layout import AuthorsDecoder, AuthorsInverse, with_statistics

SMALL_NET = {"width": 2, "kernels": (3, 3, 3, 3), "hidden": 16, "px": 16}
MODEL = ["model.width=2", "model.kernel_sizes=[3,3,3,3]", "model.spike_hidden=16"]
FEW = ["metric=[identification,mse,cue_shape,colour,motion]", "floor=[mean_video,lookup]"]
N_SITES = 28


def save(network: nn.Module, path: Path) -> Path:
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(simulated_small(), folder, margin=4)
    return folder


def adopt(sample: Path, weights: Path, run: Path, *options: str) -> None:
    where = [f"weights={weights}", f"recording.root={sample}", f"run_dir={run}"]
    main(["adopt", *SMALL, "recording.labels=published", *where, *MODEL, *FEW, *options])


@pytest.fixture(scope="module")
def decoder() -> nn.Module:
    torch.manual_seed(1)
    return with_statistics(AuthorsDecoder(N_SITES, **SMALL_NET))


@pytest.fixture(scope="module")
def adopted(sample: Path, decoder: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adopted")
    adopt(sample, save(decoder, folder / "checkpoint.pth"), folder / "run")
    return folder / "run"


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What a refused command says: one line."""
    said = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("mua-decode:") for line in said) == 1
    return said[-1]


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_it_decodes_the_stored_test_trials_as_the_authors_network(
    adopted: Path, sample: Path, decoder: nn.Module
) -> None:
    run = Run.open(adopted, device="cpu")
    stored = torch.load(sample / "test_input.pt")
    batches = list(run.data.batches("test"))
    spikes = torch.cat([b.spikes for b in batches])
    torch.testing.assert_close(spikes, stored, rtol=0, atol=0)
    shown = torch.load(sample / "test_output.pt")[..., 4:20, 4:20].transpose(1, 2)
    torch.testing.assert_close(torch.cat([b.video for b in batches]), shown, rtol=0, atol=1e-6)
    with torch.no_grad():
        assert (run.decode(spikes) - decoder(stored)).abs().max() < 1e-6


def test_the_folder_pretends_no_training_and_names_its_source(adopted: Path) -> None:
    names = {p.name for p in adopted.iterdir()}
    assert {"config.yaml", "population.json", "recording.json", "weights.json"} <= names
    assert "epochs.csv" not in names
    about = json.loads((adopted / "weights.json").read_text())
    assert about["file"].endswith("checkpoint.pth")
    found = metrics(adopted)
    assert found["weights"] == f"adopted weights, SHA-256 {about['sha256']}"
    assert found["leaking"] == "unknown"
    assert found["audit"].startswith("leaks unknown: pooled before they were stored")
    assert "0 of" not in found["audit"]
    table = pd.read_csv(adopted / "results.csv")
    assert set(table["split"]) == {"test (leaks unknown)"}
    assert {"cue_shape", "colour_error", "direction_error"} <= set(table["metric"])
    population = json.loads((adopted / "population.json").read_text())
    assert set(population["mean"]) == {0.0}
    assert set(population["std"]) == {1.0}
    run = Run.open(adopted)
    assert run.leaks is LeakState.UNKNOWN
    assert run.changed(["data.regions=[MT]"]).origin == {}  # that one would be trained here


def test_leaks_of_weights_trained_elsewhere_are_unknown_whatever_the_split(
    decoder: nn.Module, tmp_path: Path
) -> None:
    recording = simulated_small()
    write_recording(recording, tmp_path / "r.h5")
    window = "{_target_:mua_decode.data.Window,width_s:0.1,step_s:0.1}"
    split = ["data.split.unit=recorded_trial", "data.pseudo.draw=site", f"data.window={window}"]
    split += ["data.standardisation=train", "data.pseudo.per_condition=4"]
    where = ["recording=native", f"recording.path={tmp_path / 'r.h5'}", f"run_dir={tmp_path}/run"]
    weights = f"weights={save(decoder, tmp_path / 'checkpoint.pth')}"
    main(["adopt", *where, weights, *MODEL, *split, "metric=[mse]", "floor=[mean_video]"])
    found = metrics(tmp_path / "run")
    assert found["leaking"] == "unknown"
    assert "weights trained elsewhere" in found["audit"]
    assert "free of leaks" not in found["audit"]
    assert set(pd.read_csv(tmp_path / "run" / "results.csv")["split"]) == {"test (leaks unknown)"}
    run = Run.open(tmp_path / "run", device="cpu")
    assert (run.leaks, run.data.leaks) == (LeakState.UNKNOWN, LeakState.UNKNOWN)
    assert run.data.leaks.stamp.endswith("weights trained elsewhere")
    # What is trained here is known again: another seed, or another task on the same data.
    trained = run.at(RunFolder(tmp_path / "again"))
    assert (trained.leaks, trained.data.leaks) == (LeakState.FREE, LeakState.FREE)
    assert trained.data.audit.shared == 0
    assert run.changed(["seed=5"]).leaks is LeakState.FREE


def test_evaluate_ablate_and_decode_accept_it(
    adopted: Path, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", f"run_dir={adopted}", *FEW, f"out_dir={tmp_path / 'again'}"])
    assert "adopted weights, SHA-256" in capsys.readouterr().err
    again, first = metrics(tmp_path / "again"), metrics(adopted)
    assert again["test/single_trial/mse"] == first["test/single_trial/mse"]
    quick = ["subsets=false", "segments=false", "equal.repeats=0", "fills=[zero]", "metric=[mse]"]
    main(["ablate", f"run_dir={adopted}", *quick, f"out_dir={tmp_path / 'ablation'}"])
    assert metrics(tmp_path / "ablation")["leaking"] == "unknown"
    losses = pd.read_csv(tmp_path / "ablation" / "losses.csv")
    assert set(losses["removed"]) == {"PFC", "FEF", "LIP", "MT", "IT", "V4"}
    main(["decode", f"run_dir={adopted}", *SMALL, f"recording.root={sample}",
          f"out={tmp_path / 'videos'}"])  # fmt: skip
    assert len(pd.read_csv(tmp_path / "videos" / "index.csv")) == 80


def test_an_inverse_network_becomes_the_encoding_of_the_run(adopted: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    inverse = with_statistics(AuthorsInverse(N_SITES, **SMALL_NET))
    weights = save(inverse, tmp_path / "inverse.pth")
    quick = "encode=['score.splits=2','score.noise_videos=3']"
    main(["adopt", f"weights={weights}", f"run_dir={adopted}", quick])
    found = metrics(adopted / "encoding")
    assert found["video_activation"] == "none"
    assert found["weights"].startswith("adopted weights")
    assert found["leaking"] == "unknown"
    assert (adopted / "encoding" / "sites.csv").is_file()
    run = Run.open(adopted / "encoding", device="cpu")
    video = torch.rand(3, 3, 45, 16, 16)
    network = run.network
    with torch.no_grad():
        assert (network(video) - inverse(video)).abs().max() < 1e-6
        network.video_activation = "squash"
        assert (network(video) - inverse(video)).abs().max() > 1e-3  # the option does something
    with pytest.raises(SystemExit):
        main(["adopt", f"weights={weights}", f"run_dir={adopted}", quick])  # is there already


def test_one_region_of_the_sample(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(3)
    only = with_statistics(AuthorsDecoder(4, **SMALL_NET))
    weights = save(only, tmp_path / "only.pth")
    with pytest.raises(SystemExit):
        adopt(sample, weights, tmp_path / "all")
    said = last_line(capsys)
    assert "made for 4 sites, this population has 28 (PFC 4, FEF 4" in said
    assert "set data.regions=[PFC] or data.regions=[FEF]" in said
    chosen = ["recording.labels=published", f"recording.root={sample}", "data.regions=[FEF]"]
    run = Run(RunFolder(tmp_path / "run"), compose("adopt", [*SMALL, *MODEL, *chosen]))
    OmegaConf.set_struct(run.cfg, False)
    adopt_weights(run, read_weights(str(weights)))
    run = Run.open(tmp_path / "run", device="cpu")
    stored = torch.load(sample / "test_input.pt")[..., 4:8]
    with torch.no_grad():
        assert (run.decode(stored) - only(stored)).abs().max() < 1e-6


@pytest.mark.parametrize("n_sites", [140, 20])
def test_the_published_size_is_the_same_network(n_sites: int) -> None:
    torch.manual_seed(0)
    theirs = with_statistics(AuthorsDecoder(n_sites))
    inverse = with_statistics(AuthorsInverse(n_sites))
    ours = VideoUNet(n_sites, 45, (3, 32, 32)).eval()
    turned = InvertedVideoUNet(n_sites, 45, (3, 32, 32), video_activation="none").eval()
    spikes, video = torch.randn(1, 45, n_sites), torch.rand(1, 3, 45, 32, 32)
    for plain, network, given in ((theirs, ours, spikes), (inverse, turned, video)):
        found = ForeignWeights(Path("x"), "", plain.state_dict(), plain is inverse)
        assert found.n_sites == n_sites
        network.load_state_dict(found.fitted(network.state_dict(), (3, 32, 32)))
        with torch.no_grad():
            assert (network(given) - plain(given)).abs().max() < 1e-6
    if n_sites == 140:
        assert sum(p.numel() for p in theirs.parameters()) == 3_554_915
        assert sum(p.numel() for p in inverse.parameters()) == 3_551_983


def test_wrapped_and_prefixed_state_dicts_are_the_same(decoder: nn.Module, tmp_path: Path) -> None:
    state = decoder.state_dict()
    parallel = {f"module.{k}": v for k, v in state.items()}
    for name, held in (("a", state), ("b", {"state_dict": state}), ("c", parallel),
                       ("d", {"epoch": 3, "state_dict": parallel})):  # fmt: skip
        torch.save(held, tmp_path / f"{name}.pth")
        found = read_weights(str(tmp_path / f"{name}.pth"))
        assert set(found.state) == set(state)
        assert not found.inverse


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return eval, ("__import__('pathlib').Path('ran').touch()",)


def _broken(state: dict[str, torch.Tensor]) -> dict[str, tuple[object, str]]:
    less = {k: v for k, v in state.items() if k != "encoder.5.running_var"}
    nan = state | {"decoder.1.bias": state["decoder.1.bias"] * np.nan}
    return {
        "code": (Evil(), "refused, it holds objects that could run code"),
        "text": ("hello", "is no state dict"),
        "other": ({"fc.weight": torch.zeros(3)}, "is neither their decoder nor their inverse"),
        "less": (less, "names differ: 1 missing (encoder.5.running_var)"),
        "more": (state | {"extra.w": torch.zeros(2)}, "names differ: 1 unknown (extra.w)"),
        "shape": (state | {"encoder.4.bias": torch.zeros(5)},
                  "encoder.4.bias is (5,), this network needs (4,)"),
        "nan": (nan, "decoder.1.bias holds values that are not finite"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["code", "text", "other", "less", "more", "shape", "nan"])
def test_bad_checkpoints_are_refused_in_one_line(
    sample: Path,
    decoder: nn.Module,
    tmp_path: Path,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = _broken(decoder.state_dict())[kind]
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(SystemExit) as stopped:
        adopt(sample, tmp_path / "bad.pth", tmp_path / "run")
    assert stopped.value.code == 2
    assert message in last_line(capsys)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_counts_are_not_taken_for_standardised(
    sample: Path, decoder: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save(decoder, tmp_path / "w.pth")
    for part in ("train", "val", "test"):
        values = torch.load(sample / f"{part}_input.pt").abs().round()
        torch.save(values, tmp_path / f"{part}_input.pt")
        (tmp_path / f"{part}_output.pt").symlink_to(sample / f"{part}_output.pt")
    with pytest.raises(SystemExit):
        adopt(tmp_path, weights, tmp_path / "run", "recording.standardised=false")
    assert "data.standardisation=none is for activity" in capsys.readouterr().err


def test_reproduce_asks_the_adopted_decoder(adopted: Path, tmp_path: Path) -> None:
    out = tmp_path / "paper"
    options = ["reproduce.trials_per_condition=1", "reproduce.points=16", "retrained=[]"]
    options += ["reproduce.similarity.trials=12", "metric=[identification,cue_shape,colour,motion]"]
    steps = "steps=[decoder,latents,similarity]"
    main(["reproduce", f"decoder={adopted}", f"out={out}", steps, "floor=[lookup]", *options])
    done = json.loads((out / "metrics.json").read_text())
    assert {k for k in done if k.startswith("seconds/")} == {
        "seconds/published/decoder", "seconds/published/latents", "seconds/published/similarity"
    }  # fmt: skip
    run = out / "published" / "decoder" / "run"
    assert metrics(run)["weights"] == metrics(adopted)["weights"]
    assert not (run / "epochs.csv").exists()
    measures = pd.read_csv(out / "published" / "decoder" / "measures.csv")
    assert {"cue", "colour", "direction_deg"} <= set(measures.columns)
    points = [pd.read_csv(p) for p in (out / "published" / "latents").glob("*.csv")]
    assert any({"cue", "colour"} <= set(p.columns) for p in points)
    page = (out / "report.html").read_text()
    assert "Leaks unknown: pooled before they were stored" in page
    assert "free of leaks:" not in page


def test_a_decoder_that_was_stopped_early_is_said_to_be(adopted: Path, tmp_path: Path) -> None:
    stopped = tmp_path / "run"
    shutil.copytree(adopted, stopped)
    (stopped / "epochs.csv").write_text("epoch,step\n" + "".join(f"{k},9\n" for k in range(13)))
    said = {}
    for name, run in (("whole", adopted), ("stopped", stopped)):
        cfg = compose("reproduce", [f"decoder={run}", "steps=[decoder]", "size=paper"])
        plan = read_plan(ReproducePlan, cfg)
        said[name] = Reproduction(plan, Run.open(run)).deviations["published/decoder"].short
    assert "13 epochs" in said["stopped"]
    assert "13 epochs" not in said["whole"]


def test_what_is_trained_again_does_not_pass_for_adopted(adopted: Path, tmp_path: Path) -> None:
    once = ("data.regions=[V4,MT]", "trainer.max_epochs=1", "metric=[mse]", "floor=[]")
    scored = run_variant(Run.open(adopted), Variant("only", once), tmp_path)
    assert "weights" not in scored.metrics
    assert scored.metrics["leaking"] == "unknown"
    assert "adopted" not in (tmp_path / "only" / "config.yaml").read_text()
    assert (tmp_path / "only" / "epochs.csv").is_file()
