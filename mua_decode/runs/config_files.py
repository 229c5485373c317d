"""Config files, each parsed once in a process, and again when it has changed."""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

_MOST = 500  # files kept
_kept: dict[tuple[Any, ...], bytes] = {}


class KeptConfigs(ConfigRepository):
    """Hydra's configs by their path; a file as it was parsed before, if it is the same still.

    One command composes a dozen files several times over, a sweep or a multirun hundreds of times;
    pickled, a config is there in a tenth of the time, and nobody's change of it is seen by others.
    """

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Load a config; ``None`` if there is none of this path."""
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
