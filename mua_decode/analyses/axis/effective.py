"""Images that should drive a site most, ranked in a library or made, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.axis.answers import Answer, Answers
from mua_decode.analyses.axis.climb import NaturalPrior, climb
from mua_decode.analyses.axis.plan import EffectivePlan, SignificancePlan
from mua_decode.analyses.axis.ramp import principal_orthogonal_axes
from mua_decode.analyses.axis.ridge import Blocks
from mua_decode.analyses.axis.shown import Shown
from mua_decode.analyses.axis.tuning import AxisModel
from mua_decode.features import Components, FeatureSpace, ImageFeatures
from mua_decode.files import write_text
from mua_decode.runs.progress import working
from mua_decode.types import InputError

_BEST, _WORST = 4, 2  # images of the library shown per site
_EVEN = 12  # of the library, evenly over the ranks of the prediction
_HELD = 2.0  # weight of the squared preferred projection while the orthogonal one is raised
_START = 0.05  # of natural contrast, in the images that a climb starts from
_REACH = 3.0  # standard deviations of natural images beyond which a component adds little
_TOGETHER = 16  # images climbed at once: memory


def rank_library(predicted: np.ndarray, site: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Library images that should drive a site most, and least, ``n`` of each, the extreme first.

    ``predicted`` are the responses (M, N) to the library.
    """
    order = np.argsort(-predicted[:, site], kind="stable")
    return order[:n], order[::-1][:n]


def line_along_axis(
    x: np.ndarray, weight: np.ndarray, intercept: float, n: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The predicted response curve: library images nearest to points along an axis.

    Points run through the mean of the library along the axis, from its smallest to its largest
    projection; for each the library image with the nearest projection is named. Takes components
    (M, P) of the library and the axis (P,) of a site; projections, predicted responses and rows of
    the library are (n,) each.
    """
    length = float(np.linalg.norm(weight)) or 1.0
    projection = (x - x.mean(axis=0)) @ weight / length
    points = np.linspace(projection.min(), projection.max(), n)
    rows = np.abs(projection[:, None] - points).argmin(axis=0)
    response = intercept + x.mean(axis=0) @ weight + points * length
    return points, response, rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Library:
    """The images of the recording, and what the sites did when they were shown."""

    images: np.ndarray  # float32 (K, C, H, W) in [0, 1]
    names: np.ndarray  # (K,)
    recorded: np.ndarray  # float64 (K, N): mean responses, spikes per second
    blocks: Blocks  # only the test images are ranked and shown: no axis has seen them


@dataclass(frozen=True, eq=False, kw_only=True)
class Effective:
    """Images shown to a few sites, what their axes predict, and what the sites answered."""

    shown: Shown
    # One row per site: predicted responses, spikes per second, and the verdicts where answered.
    table: pd.DataFrame
    # The predicted response along the axis, with the held-out image at every point.
    curves: pd.DataFrame
    answers: Answers | None

    def write(self, folder: Path) -> None:
        """Write images and table to be shown, and the answers where there are some."""
        self.shown.write(folder)
        if self.answers is not None:
            text = self.answers.presentations.to_csv(index=False, float_format="%.6g")
            write_text(folder / "answers.csv", text)


def measure_effective(
    space: FeatureSpace,
    components: Components,
    model: AxisModel,
    library: Library,
    *,
    plan: EffectivePlan,
    test: SignificancePlan,
    answer: Answer | None,
    rng: np.random.Generator,
) -> Effective | None:
    """Make images for the most reliably tuned sites, rank held-out ones, have them answered.

    A site is shown the image made along its axis, one made along the principal orthogonal axis,
    no further than the first reaches along its own, the held-out images with the highest and the
    lowest prediction, the one with the highest recorded response, and some evenly over the ranks of
    the prediction. With ``answer=None`` the images only wait to be shown. None is returned where
    no site is tuned. Raises InputError if images of an earlier run are asked for and are of other
    sites.
    """
    names = model.sites["site_id"].astype(str).tolist()
    if plan.folder is not None:
        shown = Shown.read(plan.folder)
        unknown = [s for s in shown.sites if s not in names]
        if unknown:
            raise InputError(f"{plan.folder}: site '{unknown[0]}' is not in this recording")
        sites = [names.index(s) for s in shown.sites]
    else:
        quality = np.where(model.tuned, np.nan_to_num(model.fit.correlation), -1)
        best = np.argsort(-quality, kind="stable")[: plan.sites]
        sites = [int(s) for s in best if quality[s] > 0]
        if not sites:
            return None
        rows = _library_rows(model, library, sites)
        if isinstance(space, ImageFeatures):
            with working(f"climbing to effective images for {len(sites)} sites"):
                made = _made(space, components, model, library, sites=sites, plan=plan, rng=rng)
            rows = [*made, *rows]
        shown = Shown.collect(rows)
    answers, table = None, shown.by_site()
    if answer is not None:
        with working("showing the images"):
            answers = Answers.of(shown, answer, model.site_table, test)
        table = table.merge(answers.sites, on="site_id", validate="1:1")
    curves = _curves(model, library, sites)
    return Effective(shown=shown, table=table, curves=curves, answers=answers)


Row = tuple[dict[str, object], np.ndarray]  # what stands in the table, and the image


def _library_rows(model: AxisModel, library: Library, sites: list[int]) -> list[Row]:
    """Held-out images for every site: by prediction best, worst and even; by response best."""
    rows: list[Row] = []
    test = library.blocks.test
    predicted = model.fit.predict(model.x[test])
    for site in sites:
        best, worst = rank_library(predicted, site, _BEST)
        recorded = np.argsort(-library.recorded[test, site], kind="stable")[:1]
        order = np.argsort(predicted[:, site], kind="stable")
        even = order[np.linspace(0, len(test) - 1, min(_EVEN, len(test))).round().astype(int)]
        groups = {"best": best, "recorded": recorded, "worst": worst[:_WORST], "even": even}
        for kind, members in groups.items():
            for i in members:
                about = {
                    "site_id": str(model.sites["site_id"].iloc[site]),
                    "image": f"library_{test[i]:04d}",
                    "kind": f"library {kind}",
                    "source": str(library.names[test[i]]),
                    "predicted_hz": float(predicted[i, site]),
                    "library_mean_hz": float(predicted[:, site].mean()),
                }
                rows.append((about, as_shown(library.images[test[i]])))
    return rows


def as_shown(image: np.ndarray) -> np.ndarray:
    """Image in [0, 1] as the uint8 that a screen shows."""
    return np.asarray(np.round(np.clip(image, 0, 1) * 255).astype(np.uint8))


def _made(
    space: ImageFeatures,
    components: Components,
    model: AxisModel,
    library: Library,
    *,
    sites: list[int],
    plan: EffectivePlan,
    rng: np.random.Generator,
) -> list[Row]:
    """Two images for every site: along its axis, and along the principal orthogonal axis."""
    train, images = library.blocks.train, library.images
    prior = NaturalPrior.from_library(images[train], smoothness=plan.smoothness)
    mean = images[train].mean(axis=0, dtype=np.float32)
    project = _Projections.of(model, train, sites)
    rows: list[Row] = []
    for start in range(0, len(sites), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        members = sites[part]
        noise = rng.standard_normal((len(members), *images.shape[1:])).astype(np.float32)
        first = torch.from_numpy(mean) + _START * prior.shaped(torch.from_numpy(noise))

        def preferred(images: Tensor, part: slice = part) -> Tensor:
            x = components.tensor(space(images))
            return project(project.natural(x), part)[0]

        reached = torch.full((len(members),), torch.inf)

        def orthogonal(images: Tensor, part: slice = part, reached: Tensor = reached) -> Tensor:
            x = components.tensor(space(images))
            along, across = project(project.natural(x), part)
            return torch.minimum(across, reached) - _HELD * along.square()

        for kind, raised in (("synthesised", preferred), ("orthogonal", orthogonal)):
            made = as_shown(climb(raised, first, prior=prior, steps=plan.steps).numpy())
            with torch.no_grad():
                x = components.tensor(space(torch.from_numpy(made).float() / 255))
                x = project.natural(x)
            along, across = (v.numpy() for v in project(x, part))
            if kind == "synthesised":  # the orthogonal image goes as far, and no further
                reached.copy_(torch.from_numpy(along))
            predicted = model.fit.predict(x.double().numpy())
            for i, site in enumerate(members):
                about: dict[str, object] = {
                    "site_id": str(model.sites["site_id"].iloc[site]),
                    "image": f"{kind}_{site:04d}",
                    "kind": kind,
                    "source": "made",
                    "predicted_hz": float(predicted[i, site]),
                    "along_axis_sd": float(along[i]),
                    "along_orthogonal_sd": float(across[i]),
                }
                rows.append((about, made[i]))
    return rows


@dataclass(frozen=True, eq=False)
class _Projections:
    """Projections on the axes of some sites, in standard deviations of the training images."""

    mean: Tensor  # (P,)
    sd: Tensor  # (P,)
    preferred: Tensor  # (P, S)
    orthogonal: Tensor  # (P, S)

    @classmethod
    def of(cls, model: AxisModel, train: np.ndarray, sites: list[int]) -> _Projections:
        x = model.x[train]
        covariance = np.atleast_2d(np.cov(x, rowvar=False))
        axes = model.fit.weight[:, sites].T
        axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        scaled = []
        for a in (axes, principal_orthogonal_axes(axes, covariance)):
            sd = np.sqrt(np.einsum("sp,pq,sq->s", a, covariance, a))
            scaled.append(torch.from_numpy((a / sd[:, None]).T).float())
        mean, sd = x.mean(axis=0), x.std(axis=0)
        centre, spread = (torch.from_numpy(v).float() for v in (mean, sd))
        return cls(centre, spread, *scaled)

    def natural(self, x: Tensor) -> Tensor:
        """Components (B, P) drawn back, smoothly, to where natural images reach.

        Without it an image is made of what hardly varies among natural images, where an axis is
        anybody's guess.
        """
        reach = _REACH * self.sd
        return self.mean + reach * ((x - self.mean) / reach).tanh()

    def __call__(self, x: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        """Projections of image b on the two axes of site b of ``part``, (B,) each."""
        away = x - self.mean
        return tuple(  # type: ignore[return-value]
            (away @ a[:, part]).diagonal() for a in (self.preferred, self.orthogonal)
        )


def _curves(model: AxisModel, library: Library, sites: list[int]) -> pd.DataFrame:
    test, parts = library.blocks.test, []
    for site in sites:
        weight, intercept = model.fit.weight[:, site], float(model.fit.intercept[site])
        at, response, shown = line_along_axis(model.x[test], weight, intercept)
        name = str(model.sites["site_id"].iloc[site])
        parts.append(
            pd.DataFrame(
                {"site_id": name, "projection": at, "predicted": response, "image_row": test[shown]}
            )
        )
    return pd.concat(parts)
