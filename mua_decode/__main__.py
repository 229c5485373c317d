"""``python -m mua_decode``, the same as ``mua-decode``."""

from mua_decode.commands.main import main

if __name__ == "__main__":
    main()
