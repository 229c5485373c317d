"""Read a recording with Neo or SpikeInterface in a process of its own.

    python -P guarded_child.py REQUEST.json FOLDER

Started by :mod:`mua_decode.recordings.library.ask` as a file of its own, so that it imports those
libraries and nothing of this package. Leaves ``units.npz`` and ``about.json`` in FOLDER, or
``refused.txt``, one line that says why not.

Pickles that name anything but arrays, other programs and connections are refused by a hook of the
interpreter, which no code in Python can take away; it is a fence, not a prison.
"""

from __future__ import annotations

import ast
import dis
import json
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_PICKLED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}
_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")
# Their readers take settings from text beside a recording by exec and eval.
_READERS = ("spikeinterface", "neo", "probeinterface")
_CALLABLE = {"range", "list", "dict", "tuple"}
_MORE_THAN_CONSTANTS = ("ATTR", "METHOD", "IMPORT", "FUNCTION", "BUILD_CLASS", "DEREF")


class RefusedError(ValueError):
    """What is said to the user, in one line."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class" and tuple(arguments[:2]) not in _PICKLED:
        raise RefusedError(
            f"it holds a pickle of {arguments[0]}.{arguments[1]}, which could run code"
        )
    if event in _FORBIDDEN:
        raise RefusedError(f"its reader asks for {event}")
    if event == "exec" and _by_a_reader(sys._getframe(1)) and not _constants(arguments[0]):
        raise RefusedError("it holds Python that its reader would run, and more than constants")


def _by_a_reader(frame: FrameType) -> bool:
    """Whether a reader runs text; modules are run by the import system."""
    return str(frame.f_globals.get("__name__")).split(".")[0] in _READERS


def _constants(code: CodeType) -> bool:
    """Whether code does no more than name numbers, text and lists of them."""
    for operation in dis.get_instructions(code):
        if operation.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            if operation.argval not in _CALLABLE:
                return False
        elif any(part in operation.opname for part in _MORE_THAN_CONSTANTS):
            return False
    return True


def plain_python(folder: Path) -> None:
    """Refuse ``params.py`` and the like, which SpikeInterface runs, unless they are constants."""
    for path in [*folder.glob("*.py"), *folder.glob("*.prm")] if folder.is_dir() else []:
        try:
            body = ast.parse(path.read_text(encoding="utf-8", errors="replace")).body
            for line in body:
                if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
                    continue
                if not isinstance(line, ast.Assign):
                    raise ValueError
                # Lists of channels are often written so.
                value = line.value
                if not (isinstance(value, ast.Call) and _is_range(value)):
                    ast.literal_eval(value)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise RefusedError(
                f"{path.name} is Python that its reader would run, and holds more than constants"
            ) from error


def _is_range(call: ast.Call) -> bool:
    plain = all(isinstance(a, ast.Constant) and isinstance(a.value, int) for a in call.args)
    return (
        isinstance(call.func, ast.Name) and call.func.id == "range" and plain and not call.keywords
    )


def plain_value(value: Any) -> Any:
    """Return a number or text as JSON has it; ``None`` for anything else."""
    value = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str | bool | int | float) else None


def flat(trains: list[Any]) -> dict[str, Any]:
    """Return spike trains one behind the other, and where each ends."""
    import numpy as np

    times = np.concatenate([*trains, np.empty(0)]).astype(np.float64)
    return {"times": times, "ends": np.cumsum([len(t) for t in trains]).astype(np.int64)}


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:  # libraries wrap what the fence says
        if isinstance(cause, RefusedError):
            return f"refused, {cause}"
        cause = cause.__cause__ or cause.__context__
    return f"cannot be read: {' '.join(str(error).split())[:200] or type(error).__name__}"


def _main(request_file: str, folder: str) -> None:
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    sys.path.append(str(Path(__file__).parent))
    sys.path.append(str(Path(__file__).parent.parent))
    sys.modules["guarded_child"] = sys.modules["__main__"]
    if request["memory"]:
        from matlab_child import _limit  # type: ignore[import-not-found]

        _limit(request["memory"], request["cpu_s"])
    from importlib import import_module

    read = import_module(f"{request['kind']}_child").read
    sys.addaudithook(_watch)
    try:
        plain_python(Path(request["path"]))
        about, arrays = read(request)
    except (Exception, SystemExit) as error:
        (Path(folder) / "refused.txt").write_text(_reason(error), encoding="utf-8")
        sys.exit(3)
    import numpy as np

    np.savez(Path(folder) / "units.npz", **arrays)
    (Path(folder) / "about.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
