"""A built wheel serves from an environment of its own, far from any checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[1]


def build(place: Path, **environment: str) -> Path:
    """The wheel of the checkout, built without network."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", str(place), str(ROOT)],
        check=True, capture_output=True, cwd=place, env=os.environ | environment,
    )  # fmt: skip
    return next(place.glob("mua_decode-*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), MUA_DECODE_BUILD_KERNEL="0")


def test_without_the_kernel_it_is_pure_and_holds_what_is_needed(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"mua_decode/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "mua_decode").rglob("*.py")}
    assert configs | modules <= names
    assert "mua_decode/nn/fast/kernels/lanes.cpp" in names
    assert not [name for name in names if name.endswith(".so")]


def test_it_works_in_an_environment_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    # A bare environment, but for the libraries of this one (make test-wheel downloads them too).
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True
    )
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q",
         "--no-compile", "--no-deps", "--no-index", str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    place = next((tmp_path / "bare" / "lib").glob("python*")) / "site-packages"
    # Added last, and as a plain folder: the .pth of an editable install in it is not followed.
    (place / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = tmp_path / "bare" / "bin" / "mua-decode"
    said = subprocess.run(
        [str(command), "inspect", "recording=simulated_small"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "V4" in said.stdout + said.stderr
    where = subprocess.run(
        [str(python), "-c", "import mua_decode; print(mua_decode.__file__)"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=True,
    ).stdout  # fmt: skip
    assert Path(where.strip()).is_relative_to(tmp_path)


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The hook on a tree with a source that compiles in no time, and what it was told to build."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / module.KERNELS
    folder.mkdir(parents=True)
    (folder / "ahead.py").write_bytes((ROOT / module.KERNELS / "ahead.py").read_bytes())
    (folder / "lanes.cpp").write_text("int answer() { return 7; }\n")
    monkeypatch.delenv("MUA_DECODE_BUILD_KERNEL", raising=False)
    warnings: list[str] = []
    app = SimpleNamespace(display_warning=warnings.append)
    made = module.KernelBuildHook(str(tmp_path), {}, None, None, "", "wheel", app)
    return SimpleNamespace(run=made, kernels=folder, warnings=warnings)


def built(hook: SimpleNamespace, version: str = "standard") -> dict:
    data: dict = {"force_include": {}, "pure_python": True}
    hook.run.initialize(version, data)
    return data


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pure wheels elsewhere")


@linux
def test_with_a_compiler_the_wheel_holds_the_kernel_and_names_its_platform(hook) -> None:
    data = built(hook)
    there = {Path(to).name: Path(source) for source, to in data["force_include"].items()}
    assert set(there) == {"lanes_ahead.so", "lanes_ahead.json"}
    assert json.loads(there["lanes_ahead.json"].read_text())["processor"]
    assert there["lanes_ahead.so"].read_bytes()[:4] == b"\x7fELF"
    assert data["tag"].startswith("py3-none-linux_")
    assert not data["pure_python"]
    hook.run.finalize("standard", data, "")
    assert not there["lanes_ahead.so"].exists()


@linux
def test_a_wheel_without_a_compiler_is_pure_and_says_so(hook, monkeypatch) -> None:
    (hook.kernels / "lanes.cpp").write_text("no C++\n")
    assert built(hook) == {"force_include": {}, "pure_python": True}
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    assert built(hook) == {"force_include": {}, "pure_python": True}
    assert "there is no C++ compiler" in hook.warnings[1]
    monkeypatch.setenv("MUA_DECODE_BUILD_KERNEL", "1")
    with pytest.raises(OSError, match="no C\\+\\+ compiler"):
        built(hook)


def test_an_editable_install_and_a_pure_wheel_compile_nothing(hook, monkeypatch) -> None:
    assert not built(hook, "editable")["force_include"]
    monkeypatch.setenv("MUA_DECODE_BUILD_KERNEL", "0")
    assert not built(hook)["force_include"]


@linux
@pytest.mark.slow
def test_the_real_kernel_is_loaded_from_a_wheel(tmp_path: Path) -> None:
    whole = build(tmp_path, MUA_DECODE_BUILD_KERNEL="1")
    zipfile.ZipFile(whole).extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "CXX": "", "PATH": "/nowhere"}
    code = (
        "from mua_decode.nn.fast.kernels import load_lanes\n"
        "print(load_lanes()._name, load_lanes().lanes_width())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=True,
    ).stdout.split()  # fmt: skip
    assert Path(said[0]).is_relative_to(tmp_path / "site")
    assert int(said[1]) >= 1
