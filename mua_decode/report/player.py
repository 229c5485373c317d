"""Films and region panels as HTML; ``page.js`` plays what is written here."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
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
from mua_decode.report.markup import base64_block, escaped, json_block, shown
from mua_decode.report.region_panel import RegionPanel
from mua_decode.types import InputError

_SMALL_BYTES = 300_000  # of a row of films: always lossless
_LOSSLESS_BYTES = 1_800_000  # lossless where components would show, coded by components if larger
_ROW_BYTES = 500_000
_GOOD_ERROR = 2.0  # grey levels, mean over pixels: cannot be seen
_PANEL_BYTES = 5_500_000  # base64 makes a third more of it
_SAMPLE_PX = 40_000_000  # numbers the basis is fitted to


def films_html(films: Films, *, name: str) -> Iterator[str]:
    """Yield a film player in pieces; ``name`` is unique in the page."""
    screens, notes = [], []
    for i, (title, videos) in enumerate(films.rows.items()):
        source = f"{name}-row{i}"
        spec, error = yield from _row(as_bytes(videos), source)
        screens.append({"title": title, "part": 0, **spec})
        if error:
            notes.append(f"{title} {error:.1f}")
    yield json_block(f"{name}-config", _times(films) | {"screens": screens})
    yield _figure(films, screens, name, note=_error_note(notes))


def panel_html(panel: RegionPanel, *, name: str) -> Iterator[str]:
    """Yield a region panel in pieces, one subset in memory at a time.

    Raises
    ------
    InputError
        If there is no subset, one comes twice, or they disagree in shape.
    """
    true, error = yield from _row(as_bytes(panel.true), f"{name}-true")
    notes = [f"true {error:.1f}"] if error else []
    with tempfile.TemporaryDirectory(prefix="mua-decode-report-") as folder:
        subsets = _gathered(panel, Path(folder))
        n_frames = len(panel.conditions) * panel.true.shape[1]
        code = ComponentCode.fit(
            _sample(subsets), n_total=n_frames * len(subsets), budget=_PANEL_BYTES
        )
        source = f"{name}-subsets"
        yield base64_block(f"{source}-basis", base64_text(code.header()))
        errors = []
        for index, stored in subsets.items():
            videos = _opened(stored)
            data, error = code.encode(as_bytes(videos))
            errors.append(error)
            yield base64_block(f"{source}-{index}", base64_text(data))
    spec = _components(code, videos.shape[2:], source)
    worst = f"{np.mean(errors):.1f} (at most {np.max(errors):.1f} in a subset)"
    notes.append(f"reconstructions {worst}")
    keys = {"".join("01"[k] for k in panel.keep[i].astype(int)): i for i in sorted(subsets)}
    everything = keys.get("1" * len(panel.regions))
    screens = [
        {"title": "true", "part": 0, **true},
        {"title": "all regions", "part": everything, **spec},
        {"title": "regions switched on", "part": everything, "chosen": True, **spec},
    ]
    config = _times(panel) | {"screens": screens, "subsets": keys, "scores": _scores(panel)}
    yield json_block(f"{name}-config", config)
    yield _figure(panel, screens, name, note=_error_note(notes), regions=panel.regions)


def _gathered(panel: RegionPanel, folder: Path) -> dict[int, np.ndarray | Path]:
    """Videos by subset; what comes from a generator is laid down in ``folder``."""
    subsets: dict[int, np.ndarray | Path] = {}
    shapes = set()
    for index, videos in panel.subsets():
        if index in subsets:
            raise InputError(f"region panel: subset {index} comes twice")
        shapes.add(videos.shape)
        if len(shapes) > 1:
            raise InputError(f"region panel: subsets differ in shape: {sorted(shapes)}")
        if isinstance(panel.videos, np.ndarray | Path):
            subsets[index] = videos
        else:
            subsets[index] = folder / f"{index}.npy"
            np.save(folder / f"{index}.npy", as_bytes(videos))
    if not subsets:
        raise InputError("region panel: no subset was reconstructed")
    return subsets


def _opened(stored: np.ndarray | Path) -> np.ndarray:
    return np.load(stored, mmap_mode="r") if isinstance(stored, Path) else stored


def _sample(subsets: dict[int, np.ndarray | Path]) -> np.ndarray:
    """Frames uint8 (n, C, H, W), as many from every subset."""
    rng = np.random.default_rng(0)
    frames = []
    for stored in subsets.values():
        videos = _opened(stored)
        n_frames = videos.shape[0] * videos.shape[1]
        most = -(-_most_frames(videos.shape[2:]) // len(subsets))
        at = np.sort(rng.permutation(n_frames)[:most])
        frames.append(as_bytes(videos[at // videos.shape[1], at % videos.shape[1]]))
    return np.concatenate(frames)


def _most_frames(shape: tuple[int, ...]) -> int:
    """Frames the basis is fitted to."""
    return int(np.clip(_SAMPLE_PX // np.prod(shape), 500, 12_000))


def _row(videos: np.ndarray, source: str) -> Generator[str, None, tuple[dict[str, Any], float]]:
    """Yield the data of one row of videos; return how to read it, and its mean error."""
    shape = videos.shape[2:]
    sheets = [png_sheet(v) for v in videos]
    lossless = sum(map(len, sheets))
    if lossless > _SMALL_BYTES:
        frames = videos.reshape(-1, *shape)
        pick = np.random.default_rng(0).permutation(len(frames))[: _most_frames(shape)]
        code = ComponentCode.fit(frames[pick], n_total=len(frames), budget=_ROW_BYTES)
        data, error = code.encode(videos)
        if error <= _GOOD_ERROR or lossless > _LOSSLESS_BYTES:
            yield base64_block(f"{source}-basis", base64_text(code.header()))
            yield base64_block(f"{source}-0", base64_text(data))
            return _components(code, shape, source), error
    for k, sheet in enumerate(sheets):
        yield base64_block(f"{source}-{k}", base64_text(sheet))
    per_column = frames_per_column(videos.shape[1], shape[1])
    spec = {"kind": "sheets", "source": source, "shape": shape, "per_column": per_column}
    return spec, 0.0


def _components(code: ComponentCode, shape: Sequence[int], source: str) -> dict[str, Any]:
    return {
        "kind": "components",
        "source": source,
        "shape": list(shape),
        "rank": len(code.basis),
        "step": code.step,
    }


def _times(films: Films | RegionPanel) -> dict[str, Any]:
    n_frames = films.true if isinstance(films, RegionPanel) else next(iter(films.rows.values()))
    return {
        "frame_s": float(films.frame_s),
        "n_frames": int(n_frames.shape[1]),
        "segments": [[str(s.name), int(s.start), int(s.stop)] for s in films.segments],
    }


def _scores(panel: RegionPanel) -> list[dict[str, Any]]:
    """One entry per metric, values by subset as the reader sees them."""
    frame = panel.scores
    entries = []
    for metric, rows in frame.groupby("metric", sort=False):
        units: Sequence[str] = (
            list(rows["unit"].dropna().astype(str).unique()) if "unit" in rows else []
        )
        unit = f" ({units[0]})" if units and units[0] not in ("", "1") else ""
        values = {str(int(i)): shown(v) for i, v in zip(rows["subset"], rows["value"], strict=True)}
        entries.append({"metric": str(metric).replace("_", " ") + unit, "values": values})
    return entries


def _figure(
    films: Films | RegionPanel,
    screens: list[dict[str, Any]],
    name: str,
    *,
    note: str,
    regions: Sequence[str] = (),
) -> str:
    """Return the part that is seen: buttons, menu, time, one canvas per row of videos."""
    options = "".join(
        f'<option value="{k}">{escaped(c)}</option>' for k, c in enumerate(films.conditions)
    )
    canvases = "".join(
        f'<div class="screen"><canvas width="{s["shape"][2]}" height="{s["shape"][1]}" role="img" '
        f'aria-label="{escaped(s["title"])}"></canvas><p class="missing" hidden>not computed</p>'
        f'<p class="name">{escaped(s["title"])}</p></div>'
        for s in screens
    )
    title = f"<h3>{escaped(films.title)}</h3>" if films.title else ""
    last = _times(films)["n_frames"] - 1
    caption = " ".join(p for p in (films.caption, note) if p)
    return (
        f'<figure class="player" id="{name}" role="group" '
        f'aria-label="{escaped(films.title or films.caption or "films")}" aria-busy="true">{title}'
        f"{_switches(regions)}"
        f'<div class="controls"><label>Condition <select class="condition">{options}</select>'
        '</label><button type="button" class="play">Play</button>'
        '<label>Speed <select class="speed"><option value="1">real time</option>'
        '<option value="0.5">half</option><option value="0.25">quarter</option></select></label>'
        '</div><div class="timeline"><div class="segments" aria-hidden="true"></div>'
        f'<input type="range" class="scrub" min="0" max="{last}" value="0" step="1" '
        'aria-label="Time"><output class="clock"></output></div>'
        f'<div class="screens{" three" if regions else ""}">{canvases}</div>{_score_table(regions)}'
        f'<p class="trouble" role="alert" hidden></p><figcaption>{escaped(caption)}</figcaption>'
        "</figure>\n"
    )


def _error_note(errors: Sequence[str]) -> str:
    """Say how far what is seen lies from what was computed."""
    if not errors:
        return ""
    return f"Mean error of what is shown here, in grey levels of 255: {', '.join(errors)}."


def _switches(regions: Sequence[str]) -> str:
    if not regions:
        return ""
    buttons = "".join(
        f'<button type="button" class="region" aria-pressed="true">{escaped(r)}</button>'
        for r in regions
    )
    return (
        f'<div class="regions" role="group" aria-label="Regions switched on">{buttons}'
        '<button type="button" class="all">All on</button>'
        '<button type="button" class="none">All off</button></div>'
        '<p class="subset" role="status"></p>'
    )


def _score_table(regions: Sequence[str]) -> str:
    if not regions:
        return ""
    return (
        '<div class="scroll"><table class="scores"><thead><tr><th scope="col" class="text">score'
        '</th><th scope="col">regions switched on</th><th scope="col">all regions</th></tr>'
        "</thead><tbody></tbody></table></div>"
    )
