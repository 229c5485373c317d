"""Train the encoding model on the data of a run and score it."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from mua_decode.analyses.encode.bands import read_bands
from mua_decode.analyses.encode.findings import encoding_metrics, print_encoding, write_encoding
from mua_decode.analyses.encode.score import EncodingSettings, score_encoding
from mua_decode.data import DecodingData
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.runs.build import build_data, build_recording, load_weights
from mua_decode.runs.config import load_option
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.open import source_config
from mua_decode.runs.progress import console, track, working
from mua_decode.runs.train import fit, resume_from
from mua_decode.tasks import EncodeVideo
from mua_decode.types import InputError, Recording

_MODEL = "inverted_video_unet"


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train a network that predicts the activity from the video, on the data of a finished run.

    Recording, split, population and seed are the run's. The folder RUN_DIR/encoding holds
    config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv, metrics.json, results.csv,
    sites.csv (one row per site), tests.csv (what every p-value is) and figures/. Everything is
    scored on the test part. After Ctrl-C or a crash, go on with the same options and
    ckpt_path=last.
    """
    return encode(cfg, RunFolder.existing(cfg.run_dir))


def encode(
    cfg: DictConfig, source_run: RunFolder, recording: Recording | None = None
) -> dict[str, Any]:
    """Train and score the encoding model of a run; see :func:`run` for the files.

    Parameters
    ----------
    cfg
        Config of ``mua-decode encode``; its ``run_dir`` is ``source_run``.
    source_run
        Folder of a run that was trained.
    recording
        The run's recording, where it is at hand already; else it is read.

    Returns
    -------
    The flat metrics of ``metrics.json``.

    Raises
    ------
    InputError
        If an option is wrong, the run holds no test trial, or the folder holds an encoding
        already.
    """
    bands = read_bands(OmegaConf.to_container(cfg.bands, resolve=True))
    cfg = cfg.copy()
    cfg.run_dir = str(source_run.path)
    whole = encoding_config(cfg)
    settings = _settings(cfg, bands, int(whole.seed))
    folder = RunFolder.create(cfg.out_dir or str(source_run.path / "encoding"), "encoding")
    ckpt_path = resume_from(cfg, folder, option="out_dir")
    data = build_data(whole, build_recording(whole) if recording is None else recording)
    if not len(data.dataset("test")):
        raise InputError("data.split: test is empty; nothing could be scored")
    console.print(
        f"{data.n_sites} sites, {data.n_bins} bins of {data.pool.bin_s:g} s; {data.audit.line}",
        highlight=False,
        soft_wrap=True,
    )
    task = build_encoder(whole, data)
    _try_once(task, data)
    if ckpt_path is not None:
        load_weights(build_encoder(whole, data), ckpt_path)
    fit(whole, task, data, folder, ckpt_path=ckpt_path, run_dir=source_run.path)
    task.eval()
    device = task.device
    n_batches = -(-len(data.dataset("test")) // data.batch_size)
    batches = track(data.batches("test"), "predicting the test trials", n_batches)
    with working("scoring beside floors, ceilings and chance"):
        scores = score_encoding(lambda v: task(v.to(device)), data, batches, settings=settings)
    flat = encoding_metrics(scores, data, settings, seed=int(whole.seed))
    write_encoding(folder, scores, flat, data)
    print_encoding(flat, folder.path)
    return flat


def build_encoder(cfg: DictConfig, data: DecodingData) -> EncodeVideo:
    """Model, loss and optimiser; sizes are read from the data, weights from ``cfg.seed``."""
    trusted = cfg.get("trusted", ())
    if cfg.model.get("kernels") in ("auto", "compiled") and not torch.cuda.is_available():
        with working("preparing the kernel (compiled once per machine)"):
            load_lanes()
    torch.manual_seed(int(cfg.seed))
    sizes = {"n_sites": data.n_sites, "n_bins": data.n_bins, "frame_shape": data.frame_shape}
    model = instantiate(cfg.model, trusted=trusted, **sizes)
    loss = instantiate(cfg.loss, trusted=trusted)
    task: EncodeVideo = instantiate(cfg.task, trusted=trusted, model=model, loss=loss)
    return task


def encoding_config(cfg: DictConfig) -> DictConfig:
    """Config of an encoding with what it takes from the run, as it is written to the folder."""
    _, source = source_config(cfg)
    whole = cfg.copy()
    OmegaConf.set_struct(whole, False)
    for name in ("recording", "data", "seed"):
        whole[name] = source[name]
    default = load_option("model", _MODEL)
    inherits = whole.model.get("_target_") == default.get("_target_")
    for name in [name for name in whole.model if whole.model[name] is None]:
        if inherits:
            own = source.model.get(name)
            whole.model[name] = default.get(name) if own is None else own
        else:  # another network has options of its own
            del whole.model[name]
    return whole


def _settings(cfg: DictConfig, bands: Any, seed: int) -> EncodingSettings:
    score = cfg.score
    return EncodingSettings(
        splits=score.splits,
        noise_videos=score.noise_videos,
        alpha=score.alpha,
        correction=score.correction,
        bands=bands,
        seed=seed,
    )


@torch.no_grad()
def _try_once(task: EncodeVideo, data: DecodingData) -> None:
    """Predict two trials and build the optimiser, so that wrong options show before training."""
    batch = next(data.batches("train"))
    try:
        task.eval()
        task.loss(task(batch.video[:2]), batch.spikes[:2])
        task.optimizer(task.parameters())
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"model, loss or task: {' '.join(str(error).split())}") from error
    finally:
        task.train()
