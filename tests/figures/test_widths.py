"""Every figure of the package on paper of any width, of few regions and of many."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.analyses.ablate.drawn import _course
from mua_decode.analyses.axis.figures.answers import answered_images
from mua_decode.analyses.axis.figures.imagery import imagery_scatter, reality_curve
from mua_decode.analyses.axis.figures.tuning import axis_ramps, tuning_shares
from mua_decode.analyses.encode.figure import encoding
from mua_decode.analyses.encode.trace_figure import spectra, traces
from mua_decode.analyses.film.figure import film_figure
from mua_decode.analyses.generalise.figure import learning_curve
from mua_decode.analyses.latents.figure import embedding
from mua_decode.analyses.likelihood.figure import identification_curve
from mua_decode.analyses.similarity.figure import similarity
from mua_decode.benchmark.figure import speed
from mua_decode.figures import FigureStyle, current_style, styled
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.sweep.figure import sweep_history, sweep_importance, sweep_parallel
from mua_decode.types import ResultTable

RNG = np.random.default_rng(0)
METRICS = ("identification", "ssim", "pixel_correlation", "direction_error")
RUNS = ("decoder", "floor/mean_video", "floor/ridge", "floor/lookup", "ceiling/condition_mean")
TITLE = "A title as long as those of figures that say what was left out, test part"


def scored(regions: list[str], **columns: object) -> pd.DataFrame:
    """A row per metric and region."""
    rows = [
        {"row": r, "metric": m, "value": v, "low": v - 0.2, "high": v + 0.3, "unit": "fraction"}
        for m in METRICS for r, v in zip(regions, RNG.random(len(regions)), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def losses(regions: list[str]) -> Figure:
    values = pd.concat([scored(regions) for _ in range(5)])
    tests = scored(regions, p=0.2).assign(p=lambda t: np.where(t["value"] > 0.5, 0.2, 0.0001))
    return figures.boxes(values, tests=tests, title=TITLE, note="n = 8 conditions, paired t, holm")


def shapley(regions: list[str]) -> Figure:
    table = scored(regions, n=8)
    table.loc[table["metric"] == "direction_error", "n"] = 2
    lines = pd.DataFrame({"metric": METRICS, "label": "all of these minus none", "value": 1.0})
    return figures.intervals(table, lines=lines, title=TITLE, note="n = 2 to 8 conditions")


def segments(regions: list[str]) -> Figure | None:
    parts = ("fixation", "cue", "motion")
    table = pd.concat([scored(regions).assign(row=lambda t, s=s: t["row"] + f" in {s}")
                       for s in parts])  # fmt: skip
    table = table.rename(columns={"row": "removed", "value": "loss"})
    table = table.assign(family="segment", trial="single_trial")
    return _course(table, "rigorous", parts, title=TITLE)


def comparison(regions: list[str]) -> Figure:
    table = pd.concat([scored(regions, series=s) for s in RUNS])
    return figures.comparison(table, title=TITLE, bars="95 % over seeds and conditions")


def confusion(regions: list[str]) -> Figure:
    k = 4 * len(regions)
    names = [f"{r} {i}" for r in regions for i in range(4)]
    groups = [r for r in regions for _ in range(4)]
    return figures.confusion(np.arange(k), np.arange(k)[::-1], names=names, groups=groups,
                             title=TITLE)  # fmt: skip


def reliability(regions: list[str]) -> Figure:
    rows = [
        {"pixels": p, "condition": c, "nominal": level, "covered": level - 0.02, "gaussian": 0.4}
        for p in ("varying", "all") for c in ("all", *regions) for level in (0.5, 0.8, 0.9, 0.95)
    ]  # fmt: skip
    kept = np.linspace(0.1, 1, 10)
    curve = pd.DataFrame({"kept": kept, "accuracy": 1 - kept / 4, "confidence": 0.9})
    return figures.reliability(pd.DataFrame(rows), curve, title=TITLE)


def results(runs: tuple[str, ...], metrics: tuple[str, ...], **about: str) -> ResultTable:
    labels = {"split": "test", "segment": "all", "mask": "none", "unit": "1", "n": 4, **about}
    rows = [
        {**labels, "run": run, "metric": m, "trial": t, "condition": f"c{k}", "value": RNG.random()}
        for run in runs for m in metrics for t in ("single_trial", "trial_average")
        for k in range(3)
    ]  # fmt: skip
    return ResultTable.from_rows(rows)


def scores(regions: list[str]) -> Figure:
    metrics = (*METRICS, "mse", "psnr", *(f"cue_of_{r}" for r in regions[:6]))
    return figures.scores(results((*RUNS, "floor/posterior"), metrics), title=TITLE)


def loss(regions: list[str]) -> Figure:
    epochs = np.arange(10 * len(regions))
    table = {"epoch": epochs, "train/loss": 1 / (1 + epochs), "val/loss": 0.1 + 1 / (1 + epochs)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "epochs.csv"
        pd.DataFrame(table).to_csv(path, index=False)
        return figures.loss_curves(path)


def heatmap(regions: list[str]) -> Figure:
    rows = [(r, s, RNG.normal()) for r in regions for s in ("fixation", "cue", "motion")]
    return figures.heatmap(pd.DataFrame(rows, columns=["row", "column", "value"]),
                           label="loss (degrees)", title=TITLE, note="single trials")  # fmt: skip


def videos(n: int) -> np.ndarray:
    return RNG.random((n, 3, 8, 16, 16))


def frames(regions: list[str]) -> Figure:
    names = [f"cross green {i}" for i in range(min(4, len(regions)))]
    shown = videos(len(names))
    return figures.frames(shown, shown, names=names, segments=[], frame_s=0.1, title=TITLE,
                          spread=shown)  # fmt: skip


def seen(regions: list[str]) -> Figure:
    strip = (255 * videos(4)[:, :, :5]).astype(np.uint8).transpose(0, 2, 1, 3, 4)
    return figures.seen({r: strip for r in regions}, names=[f"cross green {i}" for i in range(4)],
                        times_s=[0.1 * i for i in range(5)], title=TITLE)  # fmt: skip


def gallery(regions: list[str]) -> Figure:
    images = {f"{r}\ndecoder": videos(10)[:, :, 0] for r in regions[:6]}
    captions = {next(iter(images)): [f"rank {i / 10:.2f}" for i in range(10)]}
    return image_gallery(images, captions=captions, title=TITLE)


def answers(regions: list[str]) -> Figure:
    n = 10 * len(regions)
    images = pd.DataFrame({"kind": ["library best", "orthogonal", "synthesised"] * n})
    images = images.assign(predicted_hz=RNG.random(3 * n), answered_hz=RNG.random(3 * n))
    sites = pd.DataFrame(RNG.random((n, 3)), columns=["answered_library_best",
                         "answered_synthesised", "answered_orthogonal"])  # fmt: skip
    return answered_images(images, sites, title=TITLE)


def imagery(regions: list[str]) -> Figure:
    n = 5 * len(regions)
    some = np.arange(n) > 2
    a, b = RNG.random((2, 6, n))
    return imagery_scatter(a, b, reactivated=some, correlation=a[0], scale=b[0], title=TITLE)


def reality(regions: list[str]) -> Figure:
    n = 2 ** np.arange(min(8, 1 + len(regions)))
    table = pd.DataFrame({"n_sites": n, "accuracy": 0.8, "sd_over_subsets": 0.1, "null_95": 0.55})
    return reality_curve(table, title="Reality monitoring")


def ramps(regions: list[str]) -> Figure:
    n = 5 * len(regions)
    a, b = RNG.random((2, n, 8))
    return axis_ramps(np.arange(8.0), a, b, names=[f"site_{i}" for i in range(n)],
                      correlation=a[:, 0], tuned=np.arange(n) > 0, title=TITLE)  # fmt: skip


def shares(regions: list[str]) -> Figure:
    rows = [(s, r, 0.5, 0.3, 0.7, 10) for s in ("pixels", "gabor_energy") for r in regions]
    names = ["space", "region", "share_tuned", "share_low", "share_high", "n_sites"]
    table = pd.DataFrame(rows, columns=names)
    sites = pd.concat([table[["space", "region"]]] * 5)
    return tuning_shares(table, sites.assign(heldout_correlation=RNG.random(len(sites))),
                         title="Axis-tuned sites")  # fmt: skip


def encoded(regions: list[str]) -> Figure:
    runs = ("encoder", "floor/time_course", "floor/condition_mean", "ceiling/split_half",
            "chance/noise_videos")  # fmt: skip
    ends = tuple(f"encoding_r_region{e}" for e in ("", "_low", "_high"))
    table = ResultTable.concat([results(runs, ends, mask=f"only {r}") for r in regions])
    table = ResultTable(table.frame[table.frame["condition"] == "c0"].assign(condition="all"))
    sites = pd.DataFrame({"region": regions * 5})
    ceiling = np.where(RNG.random(len(sites)) < 0.2, np.nan, RNG.random(len(sites)))
    return encoding(table, sites.assign(encoder_r_trial_average=RNG.random(len(sites)),
                    noise_ceiling_trial_average=ceiling), title=TITLE)  # fmt: skip


def activity(regions: list[str]) -> Figure:
    rules = ("best predicted", "median", "worst predicted")
    parts = [
        pd.DataFrame({"region": r, "rule": rule, "condition": "cross green 90", "r": 0.5,
                      "time_s": np.arange(20) / 20, "recorded": RNG.random(20),
                      "predicted": RNG.random(20)})
        for r in regions for rule in rules
    ]  # fmt: skip
    return traces(pd.concat(parts), title=TITLE)


def power(regions: list[str]) -> Figure:
    hz = np.geomspace(0.5, 50, 20)
    parts = [pd.DataFrame({"region": r, "frequency_hz": hz, "recorded": 1 / hz, "predicted": 0.1})
             for r in regions]  # fmt: skip
    return spectra(pd.concat(parts), title=TITLE)


def film(regions: list[str]) -> Figure:
    lag = pd.DataFrame({"lag_s": np.arange(-2, 3) / 10, "time_correlation": 0.1,
                        "average_time_correlation": 0.3, "alpha": 1.0})  # fmt: skip
    runs = [r for r in RUNS if not r.startswith("ceiling")]
    blocks = [(r, b, 5.0 * b, RNG.random()) for r in runs for b in range(len(regions))]
    table = pd.DataFrame(blocks, columns=["run", "block", "start_s", "value"])
    null = pd.concat([table.assign(shift_s=float(s)) for s in range(3)])
    curve = [(r, s, RNG.random(), 0.1, 10) for r in runs for s in (0.25, 0.5, 1.0, 2.0)]
    names = ["run", "length_s", "value", "chance", "candidates"]
    return film_figure(lag, table, null, pd.DataFrame(curve, columns=names), title=TITLE)


def learning(regions: list[str]) -> Figure:
    kinds = ("sites", "trials", "sessions")[: len(regions)]
    parts = [scored(["x"], axis=k, x=n, series=s) for k in kinds for n in (8, 16, 32, 64)
             for s in RUNS[:3]]  # fmt: skip
    return learning_curve(pd.concat(parts), title=TITLE, bars="± s.d. over draws")


def maps(regions: list[str]) -> Figure:
    labels = pd.DataFrame({"region": regions * 4, "cue": ["cross", "circle"] * 2 * len(regions)})
    told = {"silhouettes": {"region": 0.31}, "chance": {"region": 0.02}}
    return embedding(RNG.random((len(labels), 2)), labels, **told, title=TITLE)


def identified(regions: list[str]) -> Figure:
    rows = [(m, c, 0.5, 0.3, 0.7, 1 / c) for m in ("likelihood", "ridge", "lookup")
            for c in 2 ** np.arange(1, 2 + min(6, len(regions)))]  # fmt: skip
    names = ["method", "candidates", "accuracy", "low", "high", "chance"]
    table = pd.DataFrame(rows, columns=names).assign(n=8, n_unit="movies")
    return identification_curve(table, of="single trials")


def alike(regions: list[str]) -> Figure:
    labels = {"run": "data", "condition": "all"}
    names = ("within_condition_correlation", "train_test_correlation")
    tables = [
        results(("data",), names, mask=mask).frame.assign(trial=trial, **labels)
        for mask in ("none", *(f"only {r}" for r in regions))
        for trial in ("recorded_trial", "pseudo_trial")
    ]
    table = pd.concat(tables).drop_duplicates(["trial", "mask", "metric"])
    pairs = table.assign(low=0.1, high=0.105, pairs=4)
    return similarity(ResultTable(table), pairs, title=TITLE)


def speeds(regions: list[str]) -> Figure:
    kinds = ("training", "inference", "latency", "scaling/batch", "scaling/sites")
    rows = [
        {"kind": k, "route": r, "ms_per_trial": 1 + RNG.random(), "spread": 0.1, "ratio": 2.0,
         "batch": n, "sites": n, "trials": n, "size": n, "bins": n, "frame": n}
        for k in kinds for r in ("baseline", "auto", "fused") for n in (16, 32, 64)
    ]  # fmt: skip
    return speed(pd.DataFrame(rows))


TRIALS = pd.DataFrame(
    {"trial": range(6), "state": ["finished"] * 5 + ["stopped"], "val_loss": RNG.random(6),
     "optimizer.lr": 10.0 ** -np.arange(6), "model.width": [8, 16, 32, 8, 16, 32],
     "model": ["video_unet"] * 6}
)  # fmt: skip


def history(regions: list[str]) -> Figure:
    return sweep_history(TRIALS)


def parallel(regions: list[str]) -> Figure:
    return sweep_parallel(TRIALS, ["optimizer.lr", "model.width", "model"][: 1 + len(regions)])


def importance(regions: list[str]) -> Figure:
    table = pd.DataFrame({"option": [f"model.{r}" for r in regions], "importance": 0.1})
    return sweep_importance(table, n_trials=6)


DRAWN: tuple[Callable[[list[str]], Figure | None], ...] = (
    losses, shapley, segments, comparison, confusion, reliability, scores, loss, heatmap, frames,
    seen, gallery, answers, imagery, reality, ramps, shares, encoded, activity, power, film,
    learning, maps, identified, alike, speeds, history, parallel, importance,
)  # fmt: skip


MANY_PANELS = (activity, power, scores, learning, parallel)  # seconds each: few regions here
CASES = [(f, n, w) for f in DRAWN for n in (1, 2, 18) for w in (60.0, 85.0, 180.0)]


def _case(draw: Callable[[list[str]], Figure | None], n: int, width_mm: float) -> object:
    quick = (n, width_mm) == ((1, 85.0) if draw in MANY_PANELS else (18, 60.0))
    marks = () if quick else pytest.mark.slow
    return pytest.param(draw, n, width_mm, marks=marks, id=f"{draw.__name__}-{n}-{width_mm:g}")


@pytest.mark.parametrize(("draw", "n", "width_mm"), [_case(*c) for c in CASES])
def test_every_figure_is_drawn(
    draw: Callable[[list[str]], Figure | None], n: int, width_mm: float
) -> None:
    regions = [f"VISpor{k}" for k in range(n)]
    with styled(FigureStyle(width_mm=width_mm)), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a layout that was not applied
        figure = draw(regions)
        assert figure is not None
        current_style().apply(figure)
        width, height = figure.get_size_inches() * 25.4
        assert width == pytest.approx(width_mm)
        assert height <= 240.001
        figure.draw_without_rendering()
        ink = figure.get_tightbbox()
    assert min(ink.x0, ink.y0) * 25.4 > -1.5
    assert ink.x1 * 25.4 < width + 1.5
    assert ink.y1 * 25.4 < height + 1.5
