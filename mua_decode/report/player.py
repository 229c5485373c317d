"""What a film player and a region panel hold; ``page.js`` plays it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.report.encoding import (
    ComponentCode,
    as_bytes,
    base64_text,
    frames_per_column,
    png_sheet,
)
from mua_decode.report.films import Films
from mua_decode.report.region_panel import RegionPanel
from mua_decode.report.tables import shown
from mua_decode.types import InputError

_SMALL_BYTES = 300_000  # of a row of films: always lossless
_LOSSLESS_BYTES = 1_800_000  # lossless where components would show, coded by components if larger
_ROW_BYTES = 500_000
_GOOD_ERROR = 2.0  # grey levels, mean over pixels: cannot be seen
_PANEL_BYTES = 5_500_000  # base64 makes a third more of it
_SAMPLE_PX = 40_000_000  # numbers the basis is fitted to

Block = tuple[str, str]  # name of an element, and the base64 text in it


class FilmPlayer:
    """Films as the page holds them: blocks of data first, then what tells how to read them.

    ``screens`` (one per canvas), ``config`` and ``caption`` are known once all ``blocks`` were
    taken; ``name`` is that of its element, unique in the page.
    """

    regions: Sequence[str] = ()

    def __init__(self, films: Films | RegionPanel, name: str) -> None:
        self.films, self.name = films, name
        self._rows = films.rows if isinstance(films, Films) else {"true": films.true}
        self.label = films.title or films.caption or "films"
        self.screens: list[dict[str, Any]] = []
        self._errors: list[str] = []

    @property
    def n_frames(self) -> int:
        """Frames of every video."""
        return int(next(iter(self._rows.values())).shape[1])

    def blocks(self) -> Iterator[Block]:
        """Yield the data, one row of videos in memory at a time."""
        for i, (title, videos) in enumerate(self._rows.items()):
            yield from self._row(title, as_bytes(videos), f"{self.name}-row{i}")

    def config(self) -> dict[str, Any]:
        """What the script asks for."""
        return {
            "frame_s": float(self.films.frame_s),
            "n_frames": self.n_frames,
            "segments": [[str(s.name), int(s.start), int(s.stop)] for s in self.films.segments],
            "screens": self.screens,
        }

    def caption(self) -> str:
        """Caption, and how far what is seen lies from what was computed."""
        errors = ", ".join(self._errors)
        note = f"Mean error of what is shown here, in grey levels of 255: {errors}."
        return " ".join(p for p in (self.films.caption, note if errors else "") if p)

    def _row(self, title: str, videos: np.ndarray, source: str) -> Iterator[Block]:
        """Yield the data of a row of videos, and add its screen."""
        shape = videos.shape[2:]
        screen = {"title": title, "part": 0}
        sheets = [png_sheet(v) for v in videos]
        lossless = sum(map(len, sheets))
        if lossless > _SMALL_BYTES:
            frames = videos.reshape(-1, *shape)
            pick = np.random.default_rng(0).permutation(len(frames))[: _most_frames(shape)]
            code = ComponentCode.fit(frames[pick], n_total=len(frames), budget=_ROW_BYTES)
            data, error = code.encode(videos)
            if error <= _GOOD_ERROR or lossless > _LOSSLESS_BYTES:
                yield f"{source}-basis", base64_text(code.header())
                yield f"{source}-0", base64_text(data)
                self.screens.append(screen | _components(code, shape, source))
                self._errors += [f"{title} {error:.1f}"] if error else []
                return
        for k, sheet in enumerate(sheets):
            yield f"{source}-{k}", base64_text(sheet)
        per_column = frames_per_column(videos.shape[1], shape[1])
        sheet_spec = {"kind": "sheets", "source": source, "shape": shape, "per_column": per_column}
        self.screens.append(screen | sheet_spec)


class PanelPlayer(FilmPlayer):
    """A region panel as the page holds it."""

    def __init__(self, panel: RegionPanel, name: str) -> None:
        super().__init__(panel, name)
        self.panel, self.regions = panel, panel.regions
        self._subsets: dict[str, int] = {}

    def blocks(self) -> Iterator[Block]:
        """Yield the data, one subset in memory at a time.

        Raises InputError if there is no subset, one comes twice, or they disagree in shape.
        """
        panel, source = self.panel, f"{self.name}-subsets"
        yield from super().blocks()
        with tempfile.TemporaryDirectory(prefix="mua-decode-report-") as folder:
            subsets = _gathered(panel, Path(folder))
            n_total = len(panel.conditions) * panel.true.shape[1] * len(subsets)
            code = ComponentCode.fit(_sample(subsets), n_total=n_total, budget=_PANEL_BYTES)
            yield f"{source}-basis", base64_text(code.header())
            errors = []
            for index, videos in subsets.items():
                data, error = code.encode(videos)
                errors.append(error)
                yield f"{source}-{index}", base64_text(data)
        worst = f"{np.mean(errors):.1f} (at most {np.max(errors):.1f} in a subset)"
        self._errors.append(f"reconstructions {worst}")
        keys = {"".join("01"[k] for k in panel.keep[i].astype(int)): i for i in sorted(subsets)}
        self._subsets = keys
        spec = {"part": keys.get("1" * len(panel.regions))}
        spec |= _components(code, videos.shape[2:], source)
        self.screens.append({"title": "all regions", **spec})
        self.screens.append({"title": "regions switched on", "chosen": True, **spec})

    def config(self) -> dict[str, Any]:
        """What the script asks for, with the subsets and their scores."""
        return super().config() | {"subsets": self._subsets, "scores": _scores(self.panel)}


def _gathered(panel: RegionPanel, folder: Path) -> dict[int, np.ndarray]:
    """Videos by subset, laid down in ``folder`` and read from there."""
    subsets: dict[int, np.ndarray] = {}
    shapes = set()
    for index, videos in panel.subsets():
        if index in subsets:
            raise InputError(f"region panel: subset {index} comes twice")
        shapes.add(videos.shape)
        if len(shapes) > 1:
            raise InputError(f"region panel: subsets differ in shape: {sorted(shapes)}")
        np.save(folder / f"{index}.npy", as_bytes(videos))
        subsets[index] = np.load(folder / f"{index}.npy", mmap_mode="r")
    if not subsets:
        raise InputError("region panel: no subset was reconstructed")
    return subsets


def _sample(subsets: dict[int, np.ndarray]) -> np.ndarray:
    """Frames uint8 (n, C, H, W), as many from every subset."""
    rng = np.random.default_rng(0)
    frames = []
    for videos in subsets.values():
        n_frames = videos.shape[0] * videos.shape[1]
        most = -(-_most_frames(videos.shape[2:]) // len(subsets))
        at = np.sort(rng.permutation(n_frames)[:most])
        frames.append(videos[at // videos.shape[1], at % videos.shape[1]])
    return np.concatenate(frames)


def _most_frames(shape: tuple[int, ...]) -> int:
    """Frames the basis is fitted to."""
    return int(np.clip(_SAMPLE_PX // np.prod(shape), 500, 12_000))


def _components(code: ComponentCode, shape: Sequence[int], source: str) -> dict[str, Any]:
    spec = {"kind": "components", "source": source, "shape": list(shape)}
    return spec | {"rank": len(code.basis), "step": code.step}


def _scores(panel: RegionPanel) -> list[dict[str, Any]]:
    """One entry per metric, values by subset as the reader sees them."""
    entries = []
    for metric, rows in panel.scores.groupby("metric", sort=False):
        units = list(rows["unit"].dropna().astype(str)) if "unit" in rows else []
        unit = f" ({units[0]})" if units and units[0] not in ("", "1") else ""
        values = {str(int(i)): shown(v) for i, v in zip(rows["subset"], rows["value"], strict=True)}
        entries.append({"metric": str(metric).replace("_", " ") + unit, "values": values})
    return entries
