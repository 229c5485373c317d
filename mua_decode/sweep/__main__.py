"""``python -m mua_decode.sweep FOLDER``: a worker that ends with the process that started it."""

from __future__ import annotations

import sys

from mua_decode.runs.ending import CODE, end_with_parent, terminated


def main(folder: str) -> None:
    """Run trials of the sweep in a folder; what ends it early is an exit code and one line."""
    end_with_parent()  # before seconds of imports: who started this may be gone by their end
    from mua_decode.sweep.worker import work_in
    from mua_decode.types import InputError, masked, printable

    try:
        work_in(folder)
    except InputError as error:
        print(printable(masked(str(error))), file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(CODE if terminated() else 130) from None


if __name__ == "__main__":
    main(sys.argv[1])
