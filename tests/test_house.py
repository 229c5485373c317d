"""The house keeps its own rules: who imports whom, how long things are, how far a config goes."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mua_decode"
MODULES = sorted(PACKAGE.rglob("*.py"))
COMMANDS = [*PACKAGE.glob("commands/*.py"), *PACKAGE.rglob("command.py")]
# Configs belong to the runs, to what reads the command line, and to a worker that is started
# with a file in place of a command line.
CONFIGS = {*COMMANDS, *PACKAGE.glob("runs/*.py")}
CONFIGS |= {PACKAGE / "sweep" / "multirun.py", PACKAGE / "sweep" / "worker.py"}
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_COMMAND = 350, 60, 60


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Modules of the package that a module imports, wherever in the file."""
    known = {name_of(p) for p in MODULES}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{a.name}" for a in node.names} | {node.module}
    inside = {n for n in found if n in known and n != "mua_decode"}
    # "from room import name" takes what the room's face hands on, not the face of a submodule.
    return inside - {name_of(path)}


def circles() -> Iterator[list[str]]:
    """Strongly connected components of more than one module; faces of packages left out."""
    faces = {name_of(p) for p in MODULES if p.name == "__init__.py"}
    graph = {name_of(p): imported(p) - faces for p in MODULES if name_of(p) not in faces}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(part)

    for node in graph:
        if node not in index:
            visit(node)
    yield from found


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert list(circles()) == []


def test_a_config_goes_no_deeper_than_commands_and_runs() -> None:
    words = ("DictConfig", "omegaconf", "import hydra", "from hydra")
    deep = {
        name_of(path): word
        for path in MODULES
        if path not in CONFIGS
        for word in words
        if word in path.read_text()
    }
    assert deep == {}


def _takes_the_locale(call: ast.Call) -> bool:
    """Whether a call opens text in whatever encoding the machine is set to."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name not in ("open", "read_text", "write_text") or any(
        k.arg == "encoding" for k in call.keywords
    ):
        return False
    if name != "open":
        # mua_decode.files.write_text, a plain name, is UTF-8 itself.
        return isinstance(call.func, ast.Attribute)
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    builtin = isinstance(call.func, ast.Name)
    # Openers of runs, sweeps and descriptors are called open too, and take no mode.
    return (builtin or bool(modes)) and not any("b" in mode for mode in modes)


def test_text_has_one_encoding() -> None:
    open_ended = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _takes_the_locale(node)
    ]
    assert open_ended == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("open(path)", True),
        ("path.open('w')", True),
        ("path.open('wb')", False),
        ("path.read_text(encoding='utf-8')", False),
        ("write_text(path, text)", False),
        ("Run.open(path)", False),
    ],
)
def test_text_in_the_encoding_of_the_machine_is_found(line: str, found: bool) -> None:
    (call,) = (n for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Call))
    assert _takes_the_locale(call) == found


def test_modules_and_functions_are_short() -> None:
    long: list[str] = []
    for path in MODULES:
        text = path.read_text()
        if (n := len(text.splitlines())) > LONGEST_MODULE:
            long.append(f"{name_of(path)}: {n} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n = (node.end_lineno or 0) - node.lineno + 1
                if n > LONGEST_FUNCTION:
                    long.append(f"{name_of(path)}.{node.name}: {n} lines")
    assert long == []


def test_commands_are_thin() -> None:
    thick = {
        name_of(p): n
        for p in COMMANDS
        if p.name != "main.py" and (n := len(p.read_text().splitlines())) > LONGEST_COMMAND
    }
    assert thick == {}


def test_every_command_has_its_room_its_options_and_its_tests() -> None:
    from mua_decode.commands.main import COMMANDS as NAMES
    from mua_decode.commands.main import home

    root = PACKAGE.parent
    for name in NAMES:
        module = root / (home(name).replace(".", "/") + ".py")
        assert module.is_file(), name
        assert (root / "conf" / f"{name}.yaml").is_file(), name
        room = module.parent.relative_to(PACKAGE)
        tests = root / "tests" / room
        own = f"test_{name}.py" if module.name == "command.py" else "test_*.py"
        assert list(tests.glob(own)), f"{name}: no {tests.relative_to(root)}/{own}"


def test_the_oldest_versions_are_those_declared() -> None:
    root = PACKAGE.parent
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    lower = {}
    for line in declared:
        name, version = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", line).groups()
        lower[name] = version
    pinned = dict(
        line.split("==")
        for line in (root / ".ci" / "oldest.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert set(pinned) == set(lower)
    assert [n for n in lower if not f"{pinned[n]}.".startswith(f"{lower[n]}.")] == []
