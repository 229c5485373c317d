"""The one kind of error a user can mend: bad input, said in one line that may be shown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class InputError(ValueError):
    """Something given by the user (a file, an option, a name) cannot be used as it is.

    The command line prints the message alone and exits with code 2, so the message names
    the file or option, what was expected and what was found.
    """

    def __str__(self) -> str:
        # Names and values of a file may hold line breaks; what is said of it is one line.
        return " ".join(super().__str__().splitlines())


def nearest_name(found: object, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'X'?)"`` for the closest known name, or an empty string."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(str(found).lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean '{by_lower[matches[0]]}'?)" if matches else ""


# A password in an address: //user:PASSWORD@ or ?password=PASSWORD. It may hold an @ or / itself.
_PASSWORD = re.compile(r"(://[^/\s:@]*:)\S+(?=@)|((?:password|passwd|pwd)=)[^&\s'\"]+", re.I)


def masked(text: str) -> str:
    """Return a text with the passwords of addresses such as ``//user:PASSWORD@host`` masked."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", text)


# Control characters except tab and line break, and what turns the direction of writing around:
# on a terminal they move the cursor, set its title, or make a text read as another.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return a text for a terminal: control characters written out, ``\x1b`` for escape."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
