"""Does region masking find what was planted? Ten simulated experiments, each trained and ablated.

    python benchmarks/ablation_recovery.py --out runs/recovery [--seeds 10] [--epochs 4] [--width 8]

Every seed has its own simulated sites, trials, split and network. For shape, colour and motion the
region planted with the largest weight should lose most, and a region planted with nothing should
not be significant after correction. Goes on where it stopped; prints the table of the docs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.ablate import ablate
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.commands.main import quiet
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan
from mua_decode.runs.progress import hushed
from mua_decode.runs.run import Run, open_run
from mua_decode.runs.train import Training, train_and_score
from mua_decode.statistics import crossed_bootstrap

NETWORK = ["experiment=demo", "model=video_unet", "model.output_skip=true"]
QUESTIONS = {"cue_pixels": "cue", "colour_error": "colour", "direction_error": "direction"}


def planted(cfg: object) -> pd.DataFrame:
    """Weights of the simulated regions: rows regions, columns cue, colour, direction."""
    regions = cfg.recording.population.regions  # type: ignore[attr-defined]
    rows = {r: {q: float(p[q]) for q in QUESTIONS.values()} for r, p in regions.items()}
    return pd.DataFrame(rows).T


def one_seed(seed: int, out: Path, args: argparse.Namespace) -> dict[str, object]:
    """Simulate, train, ablate; returns a row of the table."""
    folder = RunFolder.create(str(out / f"seed_{seed}"), "recovery")
    start = time.perf_counter()
    cfg = compose(
        "train",
        [
            *NETWORK,
            f"seed={seed}",
            f"recording.seed={seed}",
            f"run_dir={folder.path}",
            f"model.width={args.width}",
            "model.kernel_sizes=[3,3,3,3]",
            f"trainer.max_epochs={args.epochs}",
            "metric=[identification,mse]",
            "floor=[]",
            *args.overrides,
        ],
    )
    recording = build_recording(cfg)
    if not folder.metrics.is_file():
        train_and_score(Run(folder, cfg, recording=recording), Training(draw=False))
    ablation = compose(
        "ablate",
        [
            f"run_dir={folder.path}",
            "metric=[identification,cue_pixels,colour,motion]",
            "segments=false",
            "equal.repeats=0",
            f"seed={seed}",
            f"subsets={str(seed < args.shapley).lower()}",
            "average_only=[direction_error]",
            f"trials_per_condition={args.trials}",
        ],
    )
    run = open_run(ablation, recording=recording).score_as(ablation)
    target = run.out(None, "ablation")
    found = ablate(run, read_plan(AblationPlan, ablation), target)
    found.write(target)
    row: dict[str, object] = {
        "seed": seed,
        "identified": json.loads(folder.metrics.read_text())["test/single_trial/identification"],
    }
    s = found.tables["shapley"]
    if len(s):
        total = s.groupby(["fill", "trial", "metric"])["value"].sum()
        span = s.groupby(["fill", "trial", "metric"])[["full", "nothing"]].first()
        row["shapley_residual"] = float((total - (span["full"] - span["nothing"])).abs().max())
    row["minutes"] = round((time.perf_counter() - start) / 60, 1)
    return row


def recovered(out: Path, seeds: int, weights: pd.DataFrame) -> pd.DataFrame:
    """In how many seeds the planted region loses most, and no silent region is significant."""
    silent = [str(r) for r in weights.index[(weights == 0).all(axis=1)]]
    rows = []
    for fill, trial, (metric, question) in itertools.product(
        ("shuffle", "zero"), ("single_trial", "trial_average"), QUESTIONS.items()
    ):
        first = quiet = 0
        for seed in range(seeds):
            folder = out / f"seed_{seed}" / "ablation"
            means, tests = (pd.read_csv(folder / f"{n}.csv") for n in ("means", "tests"))
            lost = means[
                (means["fill"] == fill) & (means["trial"] == trial) & (means["metric"] == metric)
            ]
            loss = lost.set_index("removed")["loss"].dropna()
            first += len(loss) > 0 and loss.idxmax() == weights[question].idxmax()
            paired = tests[
                (tests["metric"] == f"{metric}, {trial}, {fill}")
                & tests["group"].isin(silent)
                & tests["test"].str.startswith("paired t")
            ]
            quiet += not (paired["p_corrected"] < 0.05).any()
        rows.append(
            {
                "fill": fill,
                "trial": trial,
                "question": question,
                "planted region first": f"{first} of {seeds}",
                "no silent region significant": f"{quiet} of {seeds}",
            }
        )
    return pd.DataFrame(rows)


def losses_over_seeds(out: Path, seeds: int) -> pd.DataFrame:
    """Mean loss per region with a 95 % bootstrap over seeds and conditions, which are crossed."""
    parts = []
    for seed in range(seeds):
        losses = pd.read_csv(out / f"seed_{seed}" / "ablation" / "losses.csv")
        parts.append(losses.assign(seed=seed))
    table = pd.concat(parts)
    table = table[table["family"] == "region"]
    rows = []
    keys = ["fill", "trial", "metric", "removed"]
    for (fill, trial, metric, region), part in table.groupby(keys, sort=False):
        by_seed = part.pivot_table("loss", "seed", "condition", dropna=False).to_numpy()
        found = crossed_bootstrap(by_seed, rng=np.random.default_rng(0), n=2000)
        rows.append(
            {
                "fill": fill,
                "trial": trial,
                "metric": metric,
                "region": region,
                "loss": found.estimate,
                "low": found.low,
                "high": found.high,
                "seeds": part["seed"].nunique(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--trials", type=int, default=6, help="test trials per condition")
    parser.add_argument("--shapley", type=int, default=1, help="seeds with all 64 subsets")
    parser.add_argument("overrides", nargs="*", help="options of mua-decode train")
    args = parser.parse_args()
    quiet()
    rows = []
    for seed in range(args.seeds):
        kept = args.out / f"seed_{seed}" / "row.json"
        if kept.is_file():
            rows.append(json.loads(kept.read_text()))
            continue
        with hushed():
            row = one_seed(seed, args.out, args)
        kept.write_text(json.dumps(row))
        rows.append(row)
        print(json.dumps(row), flush=True)
    print(pd.DataFrame(rows)[["seed", "identified", "minutes"]].to_string(index=False))
    over_seeds = losses_over_seeds(args.out, args.seeds)
    over_seeds.to_csv(args.out / "losses_over_seeds.csv", index=False)
    print(over_seeds.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    cfg = compose("train", NETWORK)
    table = recovered(args.out, args.seeds, planted(cfg))
    table.to_csv(args.out / "recovery.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
