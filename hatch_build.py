"""The kernel compiled ahead: what the build of a wheel does beside copying files.

Where a C++ compiler is at hand (Linux) the wheel holds ``lanes_ahead.so`` and is named after the
platform; elsewhere it is pure, and the kernel is compiled on first use as before. Two variables of
the environment choose:

``MUA_DECODE_BUILD_KERNEL``
    0: never, for a wheel that is to serve everywhere. 1: fail where it cannot be compiled.
``MUA_DECODE_KERNEL_ARCH``
    portable: for the family of processors (a container, say) rather than for this very one.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = "mua_decode/nn/fast/kernels"


class KernelBuildHook(BuildHookInterface):
    """Adds the compiled kernel to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the install is editable or the wheel is to be pure."""
        asked = os.environ.get("MUA_DECODE_BUILD_KERNEL", "")
        if version == "editable" or asked == "0" or not sys.platform.startswith("linux"):
            return
        ahead = _load(Path(self.root) / KERNELS / "ahead.py")
        compiler = ahead.find_compiler()
        self._work = tempfile.TemporaryDirectory()
        made = Path(self._work.name)
        portable = os.environ.get("MUA_DECODE_KERNEL_ARCH") == "portable"
        try:
            if compiler is None:
                raise OSError("there is no C++ compiler")
            source = Path(self.root) / KERNELS / "lanes.cpp"
            ahead.write_ahead(source, made, compiler, portable=portable)
        except (OSError, subprocess.SubprocessError) as error:
            if asked == "1":
                raise
            self.app.display_warning(f"the kernel is not compiled ahead: {error}")
            return
        for name in (ahead.LIBRARY, ahead.ABOUT):
            build_data["force_include"][str(made / name)] = f"{KERNELS}/{name}"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Take the folder of the compiler away."""
        if hasattr(self, "_work"):
            self._work.cleanup()


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ahead", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
