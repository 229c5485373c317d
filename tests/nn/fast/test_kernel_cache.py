"""Whose library runs in this process: the one this user built, byte for byte, or none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mua_decode.nn.fast import kernels
from mua_decode.nn.fast.kernels.cache import cache_folder, load_kept

compiler = kernels.find_compiler()
pytestmark = pytest.mark.skipif(compiler is None, reason="no C++ compiler")
NAME = "lib.so"


def compiled(source: str, path: Path) -> None:
    subprocess.run(
        [str(compiler), "-x", "c", "-shared", "-fPIC", "-", "-o", str(path)],
        input=source.encode(),
        check=True,
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUA_DECODE_CACHE", str(tmp_path / "cache"))
    return cache_folder()


class Builder:
    """Builds a library that answers 7, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: Path) -> None:
        self.times += 1
        compiled("int answer(void) { return 7; }", path)


def answer(build: Callable[[Path], None]) -> int:
    return int(load_kept(NAME, build).answer())


def test_it_is_built_once_in_a_folder_of_the_user_alone(cache: Path) -> None:
    build = Builder()
    assert (answer(build), answer(build), build.times) == (7, 7, 1)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert cache.stat().st_uid == os.geteuid()
    assert sorted(p.name for p in cache.iterdir()) == [NAME, f"{NAME}.sha256"]
    assert all(not p.stat().st_mode & 0o022 for p in cache.iterdir())


def rewritten(path: Path, data: bytes) -> None:
    """In a new file: this process has the old one loaded, and ends through it."""
    path.unlink()
    path.write_bytes(data)


def cut(path: Path) -> None:
    rewritten(path, path.read_bytes()[:4000])  # loading it would be SIGBUS


def zeroed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    rewritten(path, bytes(data))


def foreign(path: Path) -> None:
    path.unlink()
    compiled("int answer(void) { return 13; }", path)


def open_to_others(path: Path) -> None:
    path.chmod(0o777)


def linked(path: Path) -> None:
    other = path.parent.parent / "other.so"
    compiled("int answer(void) { return 13; }", other)
    path.unlink()
    path.symlink_to(other)


def undigested(path: Path) -> None:
    Path(f"{path}.sha256").unlink()


def of_another_user(path: Path) -> None:
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    "spoil", [cut, zeroed, foreign, open_to_others, linked, undigested, of_another_user]
)
def test_one_that_is_not_as_it_was_kept_is_built_again(
    cache: Path, spoil: Callable[[Path], None]
) -> None:
    if spoil is of_another_user and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    build = Builder()
    load_kept(NAME, build)
    spoil(cache / NAME)
    assert (answer(build), build.times) == (7, 2)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755])
def test_a_folder_open_to_others_is_not_loaded_from(cache: Path, mode: int) -> None:
    build = Builder()
    load_kept(NAME, build)
    cache.chmod(mode)
    with pytest.raises(OSError, match="is open to others"):
        load_kept(NAME, build)


def test_a_folder_that_is_a_link_is_not_loaded_from(cache: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    cache.parent.mkdir()
    cache.symlink_to(elsewhere)
    with pytest.raises(OSError, match="kernels"):
        load_kept(NAME, Builder())


def test_a_cache_that_all_can_write_to_gives_nobody_a_say(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published attack: a library of the expected name lies there before us."""
    cache.parent.mkdir(mode=0o777)
    cache.parent.chmod(0o777)
    name = kernels._name(str(compiler))
    mark = cache.parent / "ran"
    source = (
        "#include <fcntl.h>\n__attribute__((constructor)) static void run(void)"
        f'{{ creat("{mark}", 0600); }}'
    )
    compiled(source, cache.parent / name)
    ctypes.CDLL(str(cache.parent / name))
    assert mark.exists()  # it does run where it is loaded
    mark.unlink()
    source_of_one = cache.parent / "one.cpp"
    source_of_one.write_text("int one;")
    monkeypatch.setattr(kernels, "_SOURCE", source_of_one)  # quick to build; lacks the functions
    compiled(source, cache.parent / kernels._name(str(compiler)))
    kernels.load_lanes.cache_clear()
    try:
        with pytest.warns(UserWarning, match="PyTorch route is used") as said:
            assert kernels.load_lanes() is None
    finally:
        kernels.load_lanes.cache_clear()
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert "lanes_forward" in str(said[0].message)  # a missing symbol is a line as well
    assert not mark.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_two_users_of_one_cache_have_a_folder_each(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    with tempfile.TemporaryDirectory() as shared:  # tmp_path lies where nobody else may look
        Path(shared).chmod(0o777)
        monkeypatch.setenv("MUA_DECODE_CACHE", shared)
        assert answer(build) == 7
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                own = Path(shared) / "kernels-65534"
                right = (answer(Builder()), cache_folder(), own.stat().st_mode & 0o777)
                os._exit(right != (7, own, 0o700))
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (answer(build), build.times) == (7, 1)


def test_nothing_is_written_through_what_is_laid_during_the_build(
    cache: Path, tmp_path: Path
) -> None:
    """The cache lies where others may write: they move our folder and lay theirs in its place."""
    mine = tmp_path / "mine"
    mine.write_text("mine")

    def build(path: Path) -> None:
        cache.rename(cache.with_name("moved"))
        theirs = cache / path.parent.name
        theirs.mkdir(parents=True)
        for name in (path.name, NAME, f".{NAME}.{os.getpid()}"):
            for folder in (cache, theirs):
                (folder / name).unlink(missing_ok=True)
                (folder / name).symlink_to(mine)
        Builder()(path)

    assert answer(build) == 7
    assert mine.read_text() == "mine"
    kept = sorted(p.name for p in cache.with_name("moved").iterdir())
    assert kept == [NAME, f"{NAME}.sha256"]
