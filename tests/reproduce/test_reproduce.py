from __future__ import annotations

import json
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.report.paper import Results
from mua_decode.reproduce.step import Step, StepNotApplicableError, carry_out
from mua_decode.runs.fingerprint import Fingerprint
from tests.counted import uncounted
from tests.tiny import TINY

SMALL = [
    *TINY,
    "model.skip_connections=false",
    "model.output_skip=false",
    "trainer.max_epochs=1",
    "side_by_side=false",
    "retrained=[]",
    "reproduce.noise_inputs=4",
    "reproduce.points=40",
    "reproduce.encoding=['trainer.max_epochs=1']",
    "reproduce.encoding_bands.encoding=['trainer.max_epochs=1']",
    "reproduce.canary=['data.pseudo.fresh=false']",
    "reproduce.similarity={trials: 6, subset: 3}",
    "reproduce.canary_conditions=4",
    "reproduce.trials_per_condition=1",
    "reproduce.equal_repeats=1",
    "metric=[identification,ssim,cue_shape,cue_pixels,colour,motion]",
]


def reproduce(out: Path, *options: str) -> dict:
    main(["reproduce", *SMALL, f"out={out}", *options])
    return json.loads((out / "metrics.json").read_text())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paper") / "a"
    reproduce(out, "steps=[decoder,ablation,similarity,noise]", "figures.draw=true")
    return out


def test_tables_and_one_report_for_both_protocols(both: Path) -> None:
    names = {p.stem.split("_")[0] for p in (both / "tables").glob("*.csv")}
    assert names == {f"S{i}" for i in (*range(1, 29), *range(30, 37))}
    cue = pd.read_csv(both / "tables" / "S1_cue_shape.csv")
    assert set(cue["protocol"]) == {"published", "rigorous"}
    assert set(cue["cue"]) == {"cross", "circle"}
    known = cue.drop_duplicates("cue").set_index("cue")["published"]
    assert known["cross"] == 0.9986
    ceiling = cue[cue["videos"] == "ceiling/condition_mean, one trial"]
    assert ceiling["mean"].to_numpy() == pytest.approx(1, abs=1e-5)
    combined = pd.read_csv(both / "results.csv")
    assert {"decoder", "ablation", "similarity", "noise"} == set(combined["step"])
    assert set(combined[combined["protocol"] == "published"]["split"]) == {"test (leaking)"} | set(
        combined[(combined["protocol"] == "published") & (combined["step"] == "similarity")][
            "split"
        ]
    )


def test_what_the_report_draws_lies_beside_it_as_files(both: Path) -> None:
    for protocol in ("published", "rigorous"):
        for name in ("similarity/figures/similarity", "ablation/figures/report_losses"):
            assert (both / protocol / f"{name}.png").is_file()


def test_every_table_names_what_its_n_counts(both: Path) -> None:
    assert len(list((both / "tables").glob("*.csv"))) > 30
    assert uncounted(both) == []


def test_the_report_says_on_its_first_screen_that_the_published_order_inflates(both: Path) -> None:
    canary = {
        p: json.loads((both / p / "noise" / "canary.json").read_text())
        for p in ("published", "rigorous")
    }
    assert canary["published"]["lookup"] > 0.8
    n = canary["rigorous"]["n_recorded_trials"]
    chance = canary["rigorous"]["chance"]
    assert canary["rigorous"]["lookup"] < chance + 3 * (chance * (1 - chance) / n) ** 0.5
    page = (both / "report.html").read_text()
    first = re.sub(
        r"<[^>]+>", " ", page[page.index("<main") : page.index("Figure 2", page.index("<main"))]
    )
    assert "INFLATES" in first
    assert first.index("published") < first.index("INFLATES")


def test_done_steps_are_not_done_again(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = json.loads((both / "metrics.json").read_text())

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("mua_decode.runs.variants.train_and_score", never)
    monkeypatch.setattr("mua_decode.analyses.ablate.scorer.MaskScorer.score", never)
    after = reproduce(both, "steps=[decoder,ablation,similarity,noise]")
    for key in (k for k in before if k.startswith("seconds")):
        assert after[key] == pytest.approx(before[key], abs=0.11)  # as kept: not timed again
    assert not any(k.startswith("failed") for k in after)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("protocol=publisht", "did you mean 'published'"),
        ("steps=[ablatoin]", "did you mean 'ablation'"),
        ("data.regions=[MTT]", "did you mean 'MT'"),
    ],
)
def test_wrong_options_are_named_before_anything_is_done(
    tmp_path: Path, option: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", *SMALL, f"out={tmp_path / 'a'}", option])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]


def step(name: str, done: list[str], *, needs: tuple[str, ...] = (), what: str = "") -> Step:
    def work(folder: Path) -> None:
        assert folder.is_dir()
        done.append(name)
        if what == "fail":
            raise RuntimeError("no disk")
        if what == "apply":
            raise StepNotApplicableError("grey frames")
        if what == "stop":
            raise KeyboardInterrupt

    return Step(name=name, protocol="p", what=name, weight=1, work=work, needs=needs)


def test_a_step_that_fails_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    done: list[str] = []
    steps = [
        step("a", done),
        step("b", done, what="fail"),
        step("c", done, needs=("b",)),
        step("d", done, what="apply"),
        step("e", done, needs=("a",)),
    ]
    outcome = carry_out(steps, tmp_path)
    assert done == ["a", "b", "d", "e"]
    assert set(outcome.done) == {"p/a", "p/e"}
    assert outcome.failed == {
        "p/b": "RuntimeError: no disk",
        "p/c": "needs b, which is not done",
    }
    assert outcome.not_applicable == {"p/d": "grey frames"}


def test_an_interrupted_reproduction_goes_on_where_it_stopped(tmp_path: Path) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out([step("a", done), step("b", done, what="stop")], tmp_path)
    carry_out([step("a", done), step("b", done)], tmp_path)
    assert done == ["a", "b", "b"]


def test_a_step_with_other_settings_is_done_again(tmp_path: Path) -> None:
    done: list[str] = []
    one = step("a", done)
    carry_out([one], tmp_path)
    other = replace(one, fingerprint=Fingerprint({"step.size": 2}))
    carry_out([other], tmp_path)
    carry_out([other], tmp_path)
    assert done == ["a", "a"]


def test_files_of_a_step_that_was_not_done_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "rigorous" / "ablation"
    folder.mkdir(parents=True)
    (folder / "means.csv").write_text("loss\n1\n")
    shared = {"published": {}, "reasons": {}}
    left = Results(tmp_path, ["rigorous"], done=[], **shared)
    assert left.read("rigorous", "ablation/means.csv") is None
    done = Results(tmp_path, ["rigorous"], done=["rigorous/ablation"], **shared)
    assert done.read("rigorous", "ablation/means.csv")["loss"].tolist() == [1]


def test_steps_done_on_another_recording_are_not_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [o for o in SMALL if not o.startswith("recording")]
    small += ["recording=native", f"recording.path={tmp_path / 'today.h5'}"]
    options = ["protocol=rigorous", "steps=[similarity,crossval]", "metric=[mse]", "floor=[]"]
    options += ["reproduce.n_folds=2", f"out={tmp_path / 'out'}"]
    seconds = []
    for seed in (0, 1):
        simulated = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5"]
        main(
            [
                "simulate",
                *simulated,
                f"recording.seed={seed}",
                "overwrite=true",
                f"out={tmp_path / 'today.h5'}",
            ]
        )
        # The second time steps are refused, and the command says so with its code.
        with nullcontext() if seed == 0 else pytest.raises(SystemExit, match="1"):
            main(["reproduce", *small, *options])
        seconds.append(json.loads((tmp_path / "out" / "metrics.json").read_text()))
    assert "seconds/rigorous/crossval" in seconds[0]
    assert "its content has changed" in seconds[1]["failed/rigorous/crossval"]


@pytest.mark.slow
def test_protocols_side_by_side_leave_what_one_after_the_other_leave(tmp_path: Path) -> None:
    steps = "steps=[decoder,similarity]"
    reproduce(tmp_path / "one", steps)
    found = reproduce(tmp_path / "two", steps, "side_by_side=true")
    assert not any(k.startswith("failed") for k in found)
    assert (tmp_path / "two" / "rigorous" / "log.txt").is_file()
    one, two = (pd.read_csv(tmp_path / n / "results.csv") for n in ("one", "two"))
    pd.testing.assert_frame_equal(one, two, rtol=1e-4, atol=1e-5)
