"""Weights that were trained elsewhere, in the layout of Zhang et al. 2026, made a run's own.

Names and shapes are those of their state dicts (doi 10.1038/s42003-025-09486-7): a decoder is
``Dense``, ``encoder``, ``decoder``; an inverse network ``encoder``, ``decoder``, ``reverse_Dense``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor

from mua_decode.data import DecodingData, Population
from mua_decode.files import sha256, whole, write_text
from mua_decode.nn.stages import N_STAGES
from mua_decode.runs.build import build_task
from mua_decode.runs.run import Run
from mua_decode.saved import load_saved
from mua_decode.tasks import DecodeVideo, EncodeVideo
from mua_decode.types import InputError, SiteTable

# Their layer -> ours.
_SPIKES = {
    "Dense.dense1": "spike_encoder.hidden",
    "Dense.bn1": "spike_encoder.norm",
    "Dense.dense2": "spike_encoder.frame",
}
_ACTIVITY = {
    "reverse_Dense.dense2": "hidden",
    "reverse_Dense.bn1": "norm",
    "reverse_Dense.dense1": "activity",
}
_VIDEO = {
    f"{theirs}.{4 * i + first + k}": f"autoencoder.{theirs}.{i}.{layer}"
    for theirs, first in (("encoder", 0), ("decoder", 1))
    for i in range(N_STAGES)
    for k, layer in enumerate(("conv", "norm"))
}
_COUNTER = "num_batches_tracked"  # of batch normalisation; older PyTorch kept none
_WRAPPED = ("state_dict", "model_state_dict")
_PREFIXES = ("module.", "model.")


@dataclass(frozen=True, eq=False)
class ForeignWeights:
    """A state dict in the authors' layout.

    Parameters
    ----------
    path, sha256
        The file and its checksum.
    state
        Tensor by the authors' name.
    inverse
        Whether it is of the inverse network (video in, activity out).
    """

    path: Path
    sha256: str
    state: Mapping[str, Tensor]
    inverse: bool

    @property
    def n_sites(self) -> int:
        """Sites that the network was made for."""
        if self.inverse:
            return int(self.state["reverse_Dense.dense1.weight"].shape[0])
        return int(self.state["Dense.dense1.weight"].shape[-1])

    @property
    def _layers(self) -> dict[str, str]:
        return (_ACTIVITY if self.inverse else _SPIKES) | _VIDEO

    def fitted(self, ours: Mapping[str, Tensor], frame: tuple[int, int, int]) -> dict[str, Tensor]:
        """Return the weights under the names of our network, whose state is ``ours``.

        ``InputError`` if a name or a shape is another, or a value is not finite.

        Parameters
        ----------
        frame
            (C, H, W): their frames are flat in this order, ours in (H, W, C).
        """
        pairs = dict(self._pairs(ours))
        missing = [k for k in pairs if k not in self.state and not k.endswith(_COUNTER)]
        unknown = [k for k in self.state if k not in pairs]
        if missing or unknown:
            said = [f"{len(missing)} missing ({_few(missing)})"] if missing else []
            said += [f"{len(unknown)} unknown ({_few(unknown)})"] if unknown else []
            raise InputError(f"weights: {self.path}: names differ: {', '.join(said)}")
        found: dict[str, Tensor] = {}
        for theirs, name in pairs.items():
            value = self.state.get(theirs, torch.zeros(()))
            if value.shape != ours[name].shape:
                raise InputError(
                    f"weights: {self.path}: {theirs} is {tuple(value.shape)}, this network needs "
                    f"{tuple(ours[name].shape)} ({self._hint(theirs)})"
                )
            if not torch.isfinite(value).all():
                raise InputError(f"weights: {self.path}: {theirs} holds values that are not finite")
            found[name] = self._turned(theirs, value, frame).to(ours[name].dtype)
        return found

    def _pairs(self, ours: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
        """Their name and ours of every tensor of our network."""
        to_theirs = {name: theirs for theirs, name in self._layers.items()}
        for name in ours:
            layer, _, kind = name.rpartition(".")
            yield f"{to_theirs[layer]}.{kind}", name

    def _hint(self, theirs: str) -> str:
        if ".bn1." in theirs:
            return "bins of a trial: data.window"
        if theirs.startswith(("Dense.dense2", "reverse_Dense.dense2")):
            return "hidden units and pixels: model.spike_hidden, recording.crop, frame_size"
        return "model.width, model.kernel_sizes, model.spike_hidden"

    def _turned(self, theirs: str, value: Tensor, frame: tuple[int, int, int]) -> Tensor:
        """Put flat frames (C, H, W) in our order (H, W, C)."""
        order = torch.arange(frame[0] * frame[1] * frame[2]).view(frame).permute(1, 2, 0).flatten()
        if theirs.startswith("Dense.dense2."):
            return value[order]
        return value[:, order] if theirs == "reverse_Dense.dense2.weight" else value


def read_weights(given: str | None) -> ForeignWeights:
    """Read a checkpoint in the authors' layout: a state dict, bare, wrapped or with a prefix.

    Nothing in the file can run code. ``InputError`` if it is missing, damaged or anything else.
    """
    if not given:
        raise InputError("weights is not set; give the authors' checkpoint: weights=FILE.pth")
    path = Path(given).expanduser()
    if not path.is_file():
        raise InputError(f"weights: no such file: {path}")
    found = load_saved(path, "checkpoint", hint="; save model.state_dict()")
    inside = [found[k] for k in _WRAPPED if isinstance(found, Mapping) and k in found]
    state = inside[0] if inside else found
    named = isinstance(state, Mapping) and all(isinstance(k, str) for k in state)
    if not named or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"weights: {path}: is no state dict (names to tensors)")
    for prefix in _PREFIXES:
        if all(k.startswith(prefix) for k in state):
            state = {k.removeprefix(prefix): v for k, v in state.items()}
    ends = {"Dense.dense1.weight": False, "reverse_Dense.dense1.weight": True}
    kinds = [inverse for name, inverse in ends.items() if name in state]
    if len(kinds) != 1:
        raise InputError(
            f"weights: {path}: is neither their decoder nor their inverse network: expected "
            f"Dense.dense1.weight or reverse_Dense.dense1.weight, found {_few(list(state))}"
        )
    return ForeignWeights(path, sha256([path]), state, kinds[0])


def adopt(run: Run, weights: ForeignWeights) -> None:
    """Give a run weights that were trained elsewhere, and write its folder but for the scores.

    The folder is left as training leaves it, without a log of epochs and with ``weights.json``.
    ``InputError`` if the weights do not fit the run's data and network; nothing is written then.
    """
    data, folder = run.data, run.folder
    _check_sites(weights, data)
    kind = EncodeVideo if weights.inverse else DecodeVideo
    task = build_task(run.cfg, data, kind)
    try:
        task.model.load_state_dict(weights.fitted(task.model.state_dict(), data.frame_shape))
    except KeyError as error:
        raise InputError(
            f"model: {type(task.model).__name__} with these options has layers that the authors' "
            f"network has not ({error.args[0]})"
        ) from error
    run.adopt(weights.sha256)
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    folder.save_config(run.cfg)
    folder.save_recording(run.recording)
    if not weights.inverse:
        folder.save_population(Population.of(data))
    about = {
        "adopted": True,
        "file": str(weights.path.resolve()),
        "sha256": weights.sha256,
        "network": "inverse" if weights.inverse else "decoder",
        "n_sites": weights.n_sites,
    }
    write_text(folder.weights, json.dumps(about, indent=2) + "\n")
    state = {"state_dict": task.state_dict(), "pytorch-lightning_version": pl.__version__}
    best = folder.checkpoints / "best.ckpt"
    with whole(best) as partial:
        torch.save(state, partial)
    run.checkpoint = best


def _check_sites(weights: ForeignWeights, data: DecodingData) -> None:
    """Refuse a population of another size, and say which region would fit."""
    sites, wanted = data.pool.sites, weights.n_sites
    if len(sites) == wanted:
        return
    fits = [f"data.regions=[{r}]" for r, n in _sizes(sites).items() if n == wanted]
    sizes = ", ".join(f"{r} {n}" for r, n in _sizes(sites).items())
    mend = " or ".join(fits) or "recording.sites, data.regions or data.sites_per_region"
    raise InputError(
        f"weights: {weights.path} were made for {wanted} sites, this population has "
        f"{len(sites)} ({sizes}); set {mend}"
    )


def _sizes(sites: SiteTable) -> dict[str, int]:
    return {r: int((sites.region == r).sum()) for r in sites.regions}


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
