"""Pages of the notebooks with what they show: ``make pictures``, a minute a notebook on a CPU.

    python docs/notebooks.py            # all of notebooks/, run and written to docs/notebooks/
    python docs/notebooks.py 01 05      # those that begin so

The notebooks themselves are kept without outputs. A test holds each page to its notebook's cells.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from pictures import small_png
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = Path(__file__).parent / "notebooks"
LINES = 40  # of printed text, at most


def run(path: Path, place: Path) -> Any:
    """The notebook, run in the folder `place`."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(place)}}
    nbclient.NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources=resources
    ).execute()
    return notebook


def page(notebook: Any, name: str, place: str) -> str:
    """The notebook as Markdown; its pictures are written beside it."""
    parts = [f"<!-- Made by docs/notebooks.py from notebooks/{name}.ipynb: change that. -->"]
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        printed = ""
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                parts += [*_printed(printed, place), _picture(data["image/png"], name, number)]
                printed = ""
            elif "<table" in data.get("text/html", ""):
                parts += [*_printed(printed, place), _table(data["text/html"])]
                printed = ""
            else:  # coloured lines are there as plain text too
                printed += output.text if "text" in output else data["text/plain"].rstrip() + "\n"
        parts += _printed(printed, place)
    return "\n\n".join(parts) + "\n"


def _picture(encoded: str, name: str, number: int) -> str:
    file = f"{name}_{number:02d}.png"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        (PAGES / file).write_bytes(small_png(picture))
    return f"![output of the cell above]({file})"


def _table(html: str) -> str:
    found = re.search(r"<table.*</table>", html, re.DOTALL)
    rows = found.group(0) if found else html
    # On one line, where nothing in it is Markdown.
    return re.sub(r"\s*\n\s*", "", rows.replace('border="1" ', ""))


def _printed(printed: str, place: str) -> list[str]:
    """A block of text without colours, overwritten lines and folders of this machine."""
    printed = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed)
    printed = re.sub(rf"{re.escape(place)}/tmp\w+", "FOLDER", printed)
    printed = re.sub(r"^\S*site-packages/.*Warning.*\n(  .*\n)?", "", printed, flags=re.MULTILINE)
    lines = [line.split("\r")[-1].rstrip() for line in printed.replace("\r\n", "\n").splitlines()]
    if len(lines) > LINES:
        lines = [*lines[: LINES // 2], "…", *lines[-LINES // 2 :]]
    text = "\n".join(lines).strip("\n")
    return [f"```text\n{text}\n```"] if text.strip() else []


def main(*wanted: str) -> None:
    """Run the notebooks and write their pages."""
    PAGES.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if wanted and not path.name.startswith(wanted):
            continue
        with tempfile.TemporaryDirectory() as place:
            os.environ["TMPDIR"] = place
            os.environ["COLUMNS"] = "100"
            text = page(run(path, Path(place)), path.stem, place)
        (PAGES / f"{path.stem}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
