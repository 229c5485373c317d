"""Cross-references of docstrings, written for Sphinx, as plain code in the pages."""

import re

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):<code>~?")


def on_page_content(html: str, **_: object) -> str:
    """Take the name of the role away and leave what it names."""
    return _ROLE.sub("<code>", html)
