"""Images chosen and made for sites, on their way to be shown: in memory and as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mua_decode.files import whole, write_text
from mua_decode.types import InputError

_TABLE = "shown.csv"
_NEEDED = ("site_id", "image", "kind", "predicted_hz")


@dataclass(frozen=True, eq=False)
class Shown:
    """Which image is shown for which site, and why.

    A folder of it holds ``shown.csv`` and ``images/NAME.png``.
    """

    # One row per site and image: ``site_id``, ``image`` (a name), ``kind`` (synthesised,
    # orthogonal, library best, recorded, worst or even), ``source`` (the condition, or made),
    # ``predicted_hz`` and, of images made, projections on the two axes in standard deviations.
    table: pd.DataFrame
    images: Mapping[str, np.ndarray]  # by name, uint8 (C, H, W)

    @classmethod
    def collect(cls, rows: Sequence[tuple[Mapping[str, object], np.ndarray]]) -> Shown:
        """Put rows of the table and their images together; an image may serve several sites."""
        images = {str(about["image"]): image for about, image in rows}
        return cls(pd.DataFrame([dict(about) for about, _ in rows]), images)

    @property
    def rows(self) -> list[tuple[dict[str, object], np.ndarray]]:
        """What ``collect`` takes."""
        records = [{str(k): v for k, v in r.items()} for r in self.table.to_dict("records")]
        return [(r, self.images[str(r["image"])]) for r in records]

    @property
    def sites(self) -> list[str]:
        """Sites that images are shown for, in order."""
        return list(dict.fromkeys(self.table["site_id"]))

    def by_site(self) -> pd.DataFrame:
        """One row per site: what is predicted for the images of each kind, spikes per second."""
        rows = []
        for site, group in self.table.groupby("site_id", sort=False):
            kinds = group.groupby("kind")["predicted_hz"]
            row = {"site_id": site, "library_best": kinds.max().get("library best")}
            if "library_mean_hz" in group:
                row["library_mean"] = group["library_mean_hz"].max()
            row["library_worst"] = kinds.min().get("library worst")
            row |= {k: kinds.max()[k] for k in ("synthesised", "orthogonal") if k in kinds.groups}
            rows.append(row)
        return pd.DataFrame(rows)

    def write(self, folder: Path) -> None:
        """Write table and images, to be shown and answered."""
        for name, image in self.images.items():
            pixels = image.transpose(1, 2, 0)
            if pixels.shape[2] == 3:
                pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
            with whole(folder / "images" / f"{name}.png") as partial:
                partial.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        write_text(folder / _TABLE, self.table.to_csv(index=False, float_format="%.6g"))

    @classmethod
    def read(cls, folder: Path) -> Shown:
        """Read what ``write`` wrote; raises InputError if something is missing or damaged."""
        path = folder / _TABLE
        try:
            table = pd.read_csv(path, dtype={"site_id": str, "image": str})
        except (OSError, ValueError) as error:
            raise InputError(
                f"effective.answers: {path} is missing or damaged; give the folder 'effective' of "
                "an earlier run"
            ) from error
        missing = [c for c in _NEEDED if c not in table]
        if missing:
            raise InputError(f"{path}: has no column '{missing[0]}'")
        images = {}
        for name in dict.fromkeys(table["image"]):
            file = folder / "images" / f"{name}.png"
            pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) if file.is_file() else None
            if pixels is None:
                raise InputError(f"{file}: is missing or damaged")
            colour = pixels.ndim == 3
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if colour else pixels[:, :, None]
            images[name] = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        return cls(table, images)
