"""mua-decode adopt, from a checkout."""

import sys

if not sys.flags.safe_path:
    sys.path.pop(0)  # this folder: its inspect.py must not stand in for Python's own

from mua_decode.commands.main import main

if __name__ == "__main__":
    main(["adopt", *sys.argv[1:]])
