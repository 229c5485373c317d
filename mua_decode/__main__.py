"""``python -m mua_decode``, the same as ``mua-decode``."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # With -m Python looks in the working folder first; mua-decode does not.
        del sys.path[0]
    from mua_decode.commands.main import main

    main()
