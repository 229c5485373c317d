"""The documentation names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import mua_decode
from mua_decode.commands.main import COMMANDS

ROOT = Path(__file__).parents[1]


def test_every_command_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    listed = {name.strip("`"): what for name, what in (r for r in rows if len(r) == 2)}
    assert {name: listed.get(name) for name in COMMANDS} == COMMANDS


def test_every_claim_of_security_names_a_test_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", text)
    found, file = 0, ""
    for path, test in named:
        file = path or file
        if not file or not (path or test):
            continue
        source = (ROOT / file).read_text()
        assert f"def {test}(" in source if test else "def test_" in source, f"{file}::{test}"
        found += 1
    assert found > 25


def test_every_page_is_in_the_menu_and_every_entry_is_a_page() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inside = entry.values() if isinstance(entry, dict) else entry
        return [page for part in inside for page in pages(part)]  # type: ignore[union-attr]

    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    there = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    assert sorted(pages(menu)) == sorted(there)


def test_every_public_function_is_in_the_reference() -> None:
    folder = ROOT / "docs" / "reference"
    text = "\n".join(p.read_text() for p in folder.glob("*.md"))
    blocks = [line.removeprefix("::: ") for line in text.splitlines() if line.startswith("::: ")]
    for name in set(mua_decode.__all__) - {"__version__"}:
        home = getattr(mua_decode, name).__module__
        assert any(home == b or home.startswith(f"{b}.") or f"{home}.{name}" == b for b in blocks)
