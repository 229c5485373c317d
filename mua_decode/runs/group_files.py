"""What the file of a group's option has to have, the user's above all."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf, open_dict

from mua_decode.runs.search_path import config_folder, groups, package_of
from mua_decode.types import InputError


def check_package(cfg: DictConfig, group: str) -> None:
    """Refuse an option that lies beside those of its group, where it has to have a name in it."""
    here = cfg.get(group)
    package = package_of(group)
    if package is None or here is None:
        return
    if package == "_global_" or (isinstance(here, DictConfig) and "_target_" in here):
        line = package.format(group=group, name="NAME")
        raise InputError(
            f"{group}: the first line of your file has to be '# @package {line}'"
            + ("" if package == "_global_" else ", NAME that of the file")
        )


def leave_unchosen(cfg: DictConfig, group: str) -> None:
    """Take out what a file says of options that stand side by side, where others were typed."""
    here = cfg.get(group)
    for name in groups()[group] if isinstance(here, DictConfig) else ():
        if isinstance(here.get(name), DictConfig) and "_target_" not in here[name]:
            with open_dict(here):
                del here[name]


def check_whole(cfg: DictConfig, group: str) -> None:
    """Refuse an option of plain settings that lacks some of those its group has by default."""
    usual, here = config_folder() / group / "default.yaml", cfg.get(group)
    if not usual.is_file() or not isinstance(here, DictConfig):
        return
    settings = OmegaConf.load(usual)
    lacking = [str(name) for name in settings if name not in here and name != "defaults"]
    if lacking and "_target_" not in settings:
        raise InputError(
            f"{group}: lacks '{lacking[0]}'; begin your file with defaults: [default, _self_]"
        )
