"""A kernel compiled when the wheel was built, and how any kernel is compiled.

It lies inside the installed package and is trusted as the package is: who can write to one can
write to the other. It is loaded only where it belongs: made of this source, with its bytes as they
were written, for a processor like this one. Everything else compiles on first use, as before.

Standard library alone: the build of the wheel (``hatch_build.py``) loads this file by its path.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

# No -ffast-math: linked into a library it would switch denormal numbers off for the whole process.
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared"),
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
)
LIBRARY, ABOUT = "lanes_ahead.so", "lanes_ahead.json"
# What -march=x86-64-v3 may use, in the words of /proc/cpuinfo (x86-64 psABI, table 3.1).
_V3 = ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave")


def find_compiler() -> str | None:
    """Path of a C++ compiler: ``$CXX``, or c++, g++ or clang++ on the path."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def processor() -> str:
    """Name the processor by its instruction sets where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("flags", "Features", "model name")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def compile_kernel(
    compiler: str, source: Path, library: Path, flags: tuple[str, ...] = FLAGS
) -> None:
    """Compile `source` to the shared `library`; ``CalledProcessError`` where that fails."""
    command = [compiler, *flags, str(source), "-o", str(library)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)


def write_ahead(source: Path, folder: Path, compiler: str, *, portable: bool = False) -> None:
    """Compile into `folder` the library and a file that says where it belongs.

    Parameters
    ----------
    portable
        For the family of processors (x86-64-v3, or what every processor of another family has)
        instead of this very one, which is faster and serves no other.

    Raises ``CalledProcessError`` or ``OSError`` where it cannot be built.
    """
    tuned = "-march=native"
    family = ["-march=x86-64-v3"] if platform.machine() == "x86_64" else []
    flags = [f for flag in FLAGS for f in (family if portable and flag == tuned else [flag])]
    library = folder / LIBRARY
    compile_kernel(compiler, source, library, tuple(flags))
    about = {
        "source": _digest(source),
        "library": _digest(library),
        "machine": platform.machine(),
        "processor": None if portable else hashlib.sha256(processor().encode()).hexdigest(),
        "needs": list(_V3) if portable and family else [],
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def find_ahead(source: Path, folder: Path) -> Path | None:
    """The library compiled ahead in `folder`, where it belongs to `source` and this processor."""
    library = folder / LIBRARY
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        here = processor()
        own = hashlib.sha256(here.encode()).hexdigest()
        fits = (
            about["machine"] == platform.machine()
            and about["processor"] in (None, own)
            and set(about["needs"]) <= set(here.split())
            and about["source"] == _digest(source)
            and about["library"] == _digest(library)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return library if fits else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
