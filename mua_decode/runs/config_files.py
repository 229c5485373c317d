"""Config files, each parsed once in a process, and again when it has changed."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import GroupDefault, InputDefault
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from mua_decode.runs.search_path import several

_MOST = 500  # files kept
_kept: dict[tuple[Any, ...], bytes] = {}


class KeptConfigs(ConfigRepository):
    """Hydra's configs by their path; a file as it was parsed before, if it is the same still.

    One command composes a dozen files several times over, a sweep or a multirun hundreds of times;
    pickled, a config is there in a tenth of the time, and nobody's change of it is seen by others.

    ``override /logger: [wandb, tensorboard]`` in a file has each in a place of its own, as on the
    command line; groups that are ``typed`` there are as they are typed.
    """

    def __init__(self, path: ConfigSearchPath, typed: Collection[str] = ()) -> None:
        super().__init__(path)
        self._typed = typed

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Load a config; ``None`` if there is none of this path."""
        found = self._load(config_path)
        if found is not None and found.defaults_list:
            found.defaults_list = self._apart(found.defaults_list)
        return found

    def _apart(self, entries: Iterable[InputDefault]) -> list[InputDefault]:
        kept: list[InputDefault] = []
        added: list[InputDefault] = []
        for entry in entries:
            group, places = "", None
            if isinstance(entry, GroupDefault) and isinstance(entry.value, list):
                group = str(entry.group).strip("/")
                places = several(group, entry.value)
                if places is not None:
                    entry.value = "csv"  # a copy of ours
            kept.append(entry)
            for place, name in (places or {}).items() if group not in self._typed else ():
                added.append(
                    GroupDefault(group=f"/{group}", value=name, package=f"_global_.{place}")
                )
        # Before what the file itself says of them, and before overrides, which stand last.
        own = (i for i, e in enumerate(kept) if e.is_self() or e.is_override())
        place_of_added = next(own, len(kept))
        return [*kept[:place_of_added], *added, *kept[place_of_added:]]

    def _load(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() not in ("file", "pkg"):
            return super().load_config(config_path)
        key: tuple[Any, ...] = (source.path, config_path)
        if source.scheme() == "file":
            try:
                file = Path(source.path, source._normalize_file_name(config_path)).stat()
            except OSError:
                return super().load_config(config_path)
            key = (*key, file.st_ino, file.st_mtime_ns, file.st_size)
        if key not in _kept:
            loaded = super().load_config(config_path)
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[key] = pickle.dumps(loaded)
        found: ConfigResult = pickle.loads(_kept[key])  # bytes of this process's own
        return found


@lru_cache(maxsize=64)
def top_level(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Top-level options of a command's config that are no groups, and its groups."""
    plain = OmegaConf.create(text)
    assert isinstance(plain, DictConfig)
    defaults = plain.pop("defaults", [])
    named = {str(key) for entry in defaults if isinstance(entry, DictConfig) for key in entry}
    return frozenset(map(str, plain)), frozenset(named)
