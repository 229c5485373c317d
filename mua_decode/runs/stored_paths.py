"""Paths in a stored config: absolute, so that a run opens from wherever it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

_PARTS = ("recording", "features")
_PLACES = ("run_dir", "ckpt_path")
_KEYS = ("path", "root", "labels", "file", "files", "folder")


def absolute(cfg: DictConfig) -> DictConfig:
    """Return a copy in which relative paths of what is there are absolute.

    They are options of the recording and of feature spaces that name a file or a folder as seen
    from the working folder, and the places of the run itself.
    """
    found = cfg.copy()
    for holder, key, text in _texts(found):
        path = Path(text).expanduser()
        if not path.is_absolute() and path.exists():
            holder[key] = str(path.absolute())
    for name in _PLACES:
        text = found.get(name)
        if isinstance(text, str) and text and Path(text).expanduser().exists():
            found[name] = str(Path(text).expanduser().absolute())
    return found


def beside(cfg: DictConfig, folder: Path) -> DictConfig:
    """Return a copy in which relative paths that only exist as seen from a run's folder are so.

    Parameters
    ----------
    folder
        Where the config lies; a run may be handed on with its recording in it.
    """
    found = cfg.copy()
    for holder, key, text in _texts(found):
        path = Path(text).expanduser()
        if not path.is_absolute() and not path.exists() and (folder / path).exists():
            holder[key] = str((folder / path).absolute())
    return found


def _texts(cfg: DictConfig) -> Iterator[tuple[Any, Any, str]]:
    """Texts of the parts that read files, each with what holds it: those that look like paths."""
    for part in _PARTS:
        yield from _inside(cfg.get(part), "")


def _inside(holder: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    if not isinstance(holder, DictConfig | ListConfig):
        return
    keys: Any = list(holder) if isinstance(holder, DictConfig) else range(len(holder))
    for key in keys:
        value = OmegaConf.to_container(holder)[key]  # type: ignore[index]
        called = str(key) if isinstance(holder, DictConfig) else name
        if isinstance(value, str):
            if called in _KEYS or (called != "_target_" and "/" in value):
                yield holder, key, value
        else:
            yield from _inside(holder[key], called)
