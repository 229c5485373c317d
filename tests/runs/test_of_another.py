"""The run of another user, which may be read and not written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mua_decode.commands.main import main
from tests.stored_run import write_run

ASKED = ["evaluate", "metric=[mse]", "floor=[]"]


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder with a run of theirs and an empty folder of this user's own."""
    with tempfile.TemporaryDirectory() as root:  # tmp_path lies where no other user may look
        place = Path(root)
        place.chmod(0o755)
        write_run(place / "run")
        (place / "own").mkdir()
        main([*ASKED, f"run_dir={place / 'run'}", f"out_dir={place / 'first'}"])  # loads it all
        if os.geteuid() == 0:
            os.chown(place / "own", 65534, 65534)
            os.seteuid(65534)
        else:
            (place / "run").chmod(0o555)
        try:
            yield place
        finally:
            os.seteuid(os.getuid())
            (place / "run").chmod(0o755)


def test_a_run_of_another_is_scored_elsewhere_and_left_as_it_is(
    theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def found() -> list[tuple[Path, int]]:
        return sorted((p, p.stat().st_mtime_ns) for p in (theirs / "run").rglob("*"))

    before = found()
    with pytest.raises(SystemExit) as stopped:
        main([*ASKED, f"run_dir={theirs / 'run'}"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert "Permission denied; give out_dir=FOLDER for results elsewhere" in said[-1]
    main([*ASKED, f"run_dir={theirs / 'run'}", f"out_dir={theirs / 'own' / 'scores'}"])
    assert (theirs / "own" / "scores" / "results.csv").is_file()
    assert found() == before
