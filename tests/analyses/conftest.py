"""A run that the tests of the analyses vary; none of them changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mua_decode.commands.main import main
from tests.analyses.trained import FAST
from tests.tiny import TINY


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrained") / "run"
    main(["train", *TINY, *FAST, "trainer.max_epochs=1", f"run_dir={folder}"])
    return folder
