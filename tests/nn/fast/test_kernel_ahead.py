"""The kernel of the package: loaded where it belongs, and nowhere else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from mua_decode.nn.fast import kernels
from mua_decode.nn.fast.kernels import ahead

COMPILER = kernels.find_compiler()
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
FUNCTIONS = [*kernels._POINTERS, "lanes_width", "lanes_layer_bytes"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A source quick to compile, with a library ahead of it, where no compiler is found."""
    source = tmp_path / "lanes.cpp"
    functions = "".join(f"long {name}() {{ return 7; }}\n" for name in FUNCTIONS)
    source.write_text(f'extern "C" {{\n{functions}}}\n')
    ahead.write_ahead(source, tmp_path, str(COMPILER))
    monkeypatch.setattr(kernels, "_SOURCE", source)
    monkeypatch.setattr(kernels, "find_compiler", lambda: None)
    monkeypatch.setenv("MUA_DECODE_CACHE", str(tmp_path / "cache"))
    kernels.load_lanes.cache_clear()
    yield tmp_path
    kernels.load_lanes.cache_clear()


def test_it_is_loaded_without_a_compiler_and_without_a_cache(package: Path) -> None:
    library = kernels.load_lanes()
    assert library is not None
    assert library.lanes_width() == 7
    assert not (package / "cache").exists()


def changed_source(package: Path) -> None:
    source = package / "lanes.cpp"
    source.write_text(source.read_text() + "// newer\n")


def cut(package: Path) -> None:
    library = package / ahead.LIBRARY
    library.write_bytes(library.read_bytes()[:4000])  # loading it would be SIGBUS


def told(package: Path, **changes: object) -> None:
    about = json.loads((package / ahead.ABOUT).read_text())
    (package / ahead.ABOUT).write_text(json.dumps(about | changes))


def other_processor(package: Path) -> None:
    told(package, processor="0" * 64)


def other_machine(package: Path) -> None:
    told(package, machine="s390x")


def lacking_instructions(package: Path) -> None:
    told(package, processor=None, needs=["avx2048"])


def unreadable(package: Path) -> None:
    (package / ahead.ABOUT).write_text("[]")


@pytest.mark.parametrize(
    "harm", [changed_source, cut, other_processor, other_machine, lacking_instructions, unreadable]
)
def test_it_is_left_alone_where_it_does_not_belong(package: Path, harm) -> None:
    harm(package)
    assert kernels.load_lanes() is None


def test_the_switch_holds_for_it_too(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUA_DECODE_KERNELS", "0")
    assert kernels.load_lanes() is None


def test_where_it_lacks_functions_the_kernel_is_compiled_as_before(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (package / "lanes.cpp").read_text()
    (package / "lanes.cpp").write_text('extern "C" long lanes_width() { return 3; }\n')
    ahead.write_ahead(package / "lanes.cpp", package, str(COMPILER))
    assert kernels.load_lanes() is None
    (package / "lanes.cpp").write_text(whole)  # and the library ahead of it is not of this source
    monkeypatch.setattr(kernels, "find_compiler", lambda: COMPILER)
    kernels.load_lanes.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        library = kernels.load_lanes()
    assert library is not None
    assert library.lanes_width() == 7
    assert list((package / "cache" / "kernels").glob("lanes_*.so"))


def test_a_portable_one_says_what_it_needs(package: Path) -> None:
    ahead.write_ahead(package / "lanes.cpp", package, str(COMPILER), portable=True)
    about = json.loads((package / ahead.ABOUT).read_text())
    assert about["processor"] is None
    assert ("avx2" in about["needs"]) == (about["machine"] == "x86_64")
    has = set(about["needs"]) <= set(ahead.processor().split())
    assert (kernels.load_lanes() is not None) == has
