"""The one kind of error a user can mend: bad input, said in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given by the user (a file, an option, a name) cannot be used as it is.

    The command line prints the message alone and exits with code 2, so the message names
    the file or option, what was expected and what was found.
    """


def nearest_name(found: object, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'X'?)"`` for the closest known name, or an empty string."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(str(found).lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean '{by_lower[matches[0]]}'?)" if matches else ""
