"""What stands beside the code: pictures, citation, hooks, container, environment."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from PIL import Image

import mua_decode
from mua_decode.runs.config import compose

ROOT = Path(__file__).parents[1]
PICTURES = sorted((ROOT / "docs").rglob("*.png"))
GALLERY = json.loads((ROOT / "docs" / "pictures" / "gallery.json").read_text(encoding="utf-8"))


def test_pictures_are_small_and_show_something() -> None:
    assert len(PICTURES) > 10
    for path in PICTURES:
        assert path.stat().st_size <= 150_000, path
        with Image.open(path) as picture:
            darkest, brightest = picture.convert("L").getextrema()
            assert darkest < brightest - 100, path


def test_readme_shows_pictures_that_are_there_and_what_makes_them() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(shown) >= 2
    assert all((ROOT / path).is_file() for path in shown)
    assert "make pictures" in text
    assert re.search(r"^pictures:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", sorted({shown["command"] for shown in GALLERY}))
def test_the_command_under_a_picture_is_one_that_can_be_typed(command: str) -> None:
    program, name, *options = shlex.split(command.replace("\\\n", " "))
    assert program == "mua-decode"
    assert compose(name, options).run_dir == "runs/small"


def test_the_gallery_shows_every_picture_with_its_command() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = hooks.on_page_markdown((ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"))
    files = {path.name for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert {f"{shown['name']}.png" for shown in GALLERY} == files
    for shown in GALLERY:
        assert f"![{shown['caption']}](pictures/{shown['name']}.png)" in page
        assert page.count(f"```sh\n{shown['command']}\n```") == 1
    assert hooks.on_page_markdown("a page without one") == "a page without one"


def test_the_citation_names_this_version_and_both_papers() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == mua_decode.__version__
    assert cited["license"] == "MIT"
    dois = {paper["doi"]: paper["authors"][0]["family-names"] for paper in cited["references"]}
    assert dois == {"10.1038/s42003-025-09486-7": "Zhang", "10.1126/science.adt8343": "Wadia"}


def test_hooks_run_the_tools_of_make_test_and_download_nothing() -> None:
    found = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in found["repos"]] == ["local"]
    hooks = found["repos"][0]["hooks"]
    tools = [hook["entry"].removeprefix(".venv/bin/").split()[0] for hook in hooks]
    recipe = (ROOT / "Makefile").read_text().split("\ntest: ")[1].split("\n\n")[0]
    ours = [t for t in re.findall(r"\$\(BIN\)/([\w-]+)", recipe) if t != "python"]
    assert tools == ours == ["ruff", "ruff", "mypy", "lint-imports"]
    assert {hook["language"] for hook in hooks} == {"system"}


def test_container_and_environment_take_what_the_package_takes() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    torch = next(d for d in project["dependencies"] if d.startswith("torch>"))
    assert f'"{torch}"' in recipe
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", recipe, re.MULTILINE)
    kept = (ROOT / ".dockerignore").read_text().split()
    for path in " ".join(copied).split():
        assert (ROOT / path).exists(), path
        assert f"!{path}" in kept, path
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "-e .[dev]" in pip
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert tuple(map(int, python.split("=")[1].split("."))) >= (3, 11)
