"""What is written is there whole, on the disk and in UTF-8; what was given up is swept."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mua_decode import files
from mua_decode.files import open_to_append, reserve, whole, write_text


def test_a_name_is_taken_only_once_all_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def spied_fsync(descriptor: int) -> None:
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def spied_replace(self: Path, target: Path) -> Path:
        done.append(("replace", target.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(Path, "replace", spied_replace)
    write_text(tmp_path / "a.txt", "a")
    assert [what for what, _ in done] == ["fsync", "replace", "fsync"]
    assert done[0][1].startswith(".a.")
    assert done[2][1] == tmp_path.name
    done.clear()
    with whole(tmp_path / "folder") as partial:
        partial.mkdir()
        write_text(partial / "inside.txt", "b")  # settled with the folder
    names = [name for what, name in done if what == "fsync"]
    assert names[:2] == ["inside.txt", partial.name]
    assert names[2:] == [tmp_path.name]
    assert [name for what, name in done if what == "replace"] == ["inside.txt", "folder"]


def _begin_and_fail(path: Path, error: Exception) -> None:
    with whole(path) as partial:
        partial.write_text("half", encoding="utf-8")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), ValueError("no")])
def test_what_fails_leaves_the_old_file_alone(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(type(error)) as raised:
        _begin_and_fail(path, error)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    if isinstance(error, OSError):
        assert str(raised.value) == f"[Errno 28] No space left on device: '{path}'"


def test_a_partial_of_a_dead_process_is_swept_and_no_other(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    dead, here = int(done.stdout), files._machine()
    elsewhere = "00000000" if here != "00000000" else "11111111"
    gone = [f".a.{here}-{dead}.partial.h5", f".b.{here}-{dead}.partial"]
    kept = [
        f".a.{here}-{os.getppid()}.partial.h5",  # being written
        f".a.{elsewhere}-{dead}.partial.h5",  # of another machine
        ".a.partial.h5",  # somebody's own
        "a.h5",
    ]
    old = f".c.{elsewhere}-1.partial.h5"
    for name in (*kept, gone[0], old):
        (tmp_path / name).touch()
    (tmp_path / gone[1]).mkdir()
    (tmp_path / gone[1] / "inside").touch()
    week_ago = time.time() - 8 * 86400
    os.utime(tmp_path / old, (week_ago, week_ago))
    write_text(tmp_path / "new.txt", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*kept, "new.txt"])


def test_a_killed_process_leaves_what_the_next_one_sweeps(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from mua_decode.files import whole\n"
        "with whole(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.h5")], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.")
    write_text(tmp_path / "b.txt", "")
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    code = (
        "import locale, pathlib, sys\n"
        "from mua_decode.files import write_text\n"
        "assert locale.getpreferredencoding(False) == 'ANSI_X3.4-1968'\n"
        "write_text(pathlib.Path(sys.argv[1]), 'B \\u00d7 T \\u5473')\n"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    path = tmp_path / "a.txt"
    command = [sys.executable, "-c", code, str(path)]
    subprocess.run(command, check=True, env=os.environ | ascii_only)
    assert path.read_bytes().decode("utf-8") == "B × T 味"


def test_space_is_claimed_or_refused(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        reserve(file.fileno(), 1 << 16)
        assert os.fstat(file.fileno()).st_blocks * 512 >= 1 << 16
        with pytest.raises(OSError, match=r"File too large|No space left") as raised:
            reserve(file.fileno(), 1 << 60)
    assert raised.value.errno in (errno.ENOSPC, errno.EFBIG)


def test_no_link_laid_beforehand_is_written_through(tmp_path: Path) -> None:
    mine, folder = tmp_path / "mine", tmp_path / "folder"
    mine.write_text("mine")
    folder.mkdir()
    laid = [f".a.{files._machine()}-{os.getpid()}.partial.csv", "a.csv", "log.txt"]
    for name in laid:
        (folder / name).symlink_to(mine)
    write_text(folder / "a.csv", "a\n")
    assert not (folder / "a.csv").is_symlink()
    with pytest.raises(OSError, match="symbolic links"):
        open_to_append(folder / "log.txt")
    os.close(open_to_append(folder / "other.txt"))
    assert mine.read_text() == "mine"
