"""The notebooks say nothing that does not run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_kept_without_outputs_and_import_what_is_public(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert not cell.outputs
        assert cell.execution_count is None
        plain = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(plain)):
            if isinstance(node, ast.ImportFrom):
                assert not any(a.name.startswith("_") for a in node.names)
                assert node.module.count(".") <= 1  # from a room, not from a file in it


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_page_of_a_notebook_has_its_cells_and_what_they_show(path: Path) -> None:
    page = (FOLDER.parent / "docs" / "notebooks" / f"{path.stem}.md").read_text(encoding="utf-8")
    place = 0
    for cell in nbformat.read(path, as_version=4).cells:
        plain = cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"
        place = page.index(plain, place) + len(plain)  # python docs/notebooks.py NUMBER
    assert "```text\n" in page
    assert f"]({path.stem}_" in page
    assert "/tmp/" not in page
    assert "site-packages" not in page


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    runner = client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    runner.execute()
    shown = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in shown)
