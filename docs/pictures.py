"""The pictures of README and gallery, from a small run: ``make pictures``, minutes on a CPU.

    python docs/pictures.py             # a run trained and asked, its figures into docs/pictures/
    python docs/pictures.py RUN_DIR     # the figures of a run that is there

They are committed, so that a page shows them without a training; ``docs/hooks.py`` writes the
gallery from the list at the end of this file.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image

PLACE = Path(__file__).parent / "pictures"
WIDEST, LARGEST = 1400, 150_000  # pixels, bytes
TRAIN = (
    *("recording=simulated_small", "model=posterior_unet", "model.width=8"),
    *("model.kernel_sizes=[3,3,3,3]", "model.spike_hidden=64", "model.skip_connections=add"),
    *("loss.normalisation=mean", "loss.mse_weight=50.0", "data.pseudo.per_condition=64"),
    *("data.batch_size=16", "trainer.max_epochs=4"),
    "metric=[identification,pixel_correlation,ssim,cue_shape,colour]",
)
ABLATE = (
    *("metric=[identification,cue_shape,colour,ssim]", "fills=[shuffle]", "segments=false"),
    *("equal.repeats=0", "trials_per_condition=4", "donors=2", "mixed=false"),
)
# file of a run, name of the picture, command that makes it, what it shows
SHOWN = (
    (
        "figures/frames_single_trial.png",
        "frames",
        "train",
        "Single test trials that the network has never seen: true frames above decoded ones.",
    ),
    (
        "figures/scores.png",
        "scores",
        "train",
        "The decoder beside its floors and its ceiling: single trials, and averages of trials.",
    ),
    (
        "figures/confusion.png",
        "confusion",
        "train",
        "Which condition's video the decoded one is most like, by the condition shown.",
    ),
    ("figures/loss.png", "loss", "train", "Losses of training and validation, epoch by epoch."),
    (
        "ablation/figures/losses.png",
        "regions",
        "ablate",
        "What is lost without a region, whose sites show their activity in another trial.",
    ),
    (
        "ablation/figures/shapley.png",
        "shapley",
        "ablate",
        "The share of each region over all subsets of regions: exact Shapley values.",
    ),
    (
        "ablation/figures/masked_frames.png",
        "masked_frames",
        "ablate",
        "Frames decoded with all regions, and without each.",
    ),
)


def small_png(picture: Image.Image) -> bytes:
    """A PNG of at most ``WIDEST`` pixels and ``LARGEST`` bytes, with a palette."""
    plain = Image.new("RGB", picture.size, "white")
    plain.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    for share in (1.0, 0.8, 0.65, 0.5):
        width = int(min(plain.width, WIDEST) * share)
        size = (width, round(plain.height * width / plain.width))
        small = plain.resize(size, Image.Resampling.LANCZOS)
        for colours in (128, 64):
            written = io.BytesIO()
            small.quantize(colours).save(written, "PNG", optimize=True)
            if written.tell() <= LARGEST:
                return written.getvalue()
    raise ValueError(f"a picture of {picture.size} does not fit into {LARGEST} bytes")


def typed_as(command: str, options: tuple[str, ...]) -> str:
    """The command as one types it, in lines of at most 90 letters."""
    lines = [f"mua-decode {command} run_dir=runs/small"]
    for option in options:
        word = f"'{option}'" if "[" in option else option
        if len(lines[-1]) + len(word) > 88:
            lines[-1] += " \\"
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return "\n".join(lines)


def main(run_dir: str | None = None) -> None:
    """Train and ask where no run is given; write the pictures and their captions."""
    import mua_decode

    if run_dir is None:
        run_dir = str(Path(tempfile.mkdtemp()) / "run")
        mua_decode.run_command("train", *TRAIN, f"run_dir={run_dir}")
        mua_decode.run_command("ablate", f"run_dir={run_dir}", *ABLATE)
    PLACE.mkdir(exist_ok=True)
    listed = []
    options = {"train": TRAIN, "ablate": ABLATE}
    for source, name, command, caption in SHOWN:
        with Image.open(Path(run_dir) / source) as picture:
            (PLACE / f"{name}.png").write_bytes(small_png(picture))
        typed = typed_as(command, options[command])
        listed.append({"name": name, "caption": caption, "command": typed})
    text = json.dumps(listed, indent=1, ensure_ascii=False)
    (PLACE / "gallery.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
