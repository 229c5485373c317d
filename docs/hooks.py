"""What the build of the site does to pages: plain cross-references, and the gallery."""

import json
import re
from pathlib import Path

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):<code>~?")
_GALLERY = "<!-- gallery -->"
_PICTURES = Path(__file__).parent / "pictures"


def on_page_content(html: str, **_: object) -> str:
    """Take the name of a role, written for Sphinx, away and leave what it names."""
    return _ROLE.sub("<code>", html)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the pictures of ``docs/pictures``, with captions and commands, where the gallery is."""
    return markdown.replace(_GALLERY, gallery()) if _GALLERY in markdown else markdown


def gallery() -> str:
    """Every picture with its caption and, once each, the command that makes it."""
    parts, said = [], ""
    for shown in json.loads((_PICTURES / "gallery.json").read_text(encoding="utf-8")):
        if shown["command"] != said:
            said = shown["command"]
            parts.append(f"```sh\n{said}\n```")
        parts.append(f"![{shown['caption']}](pictures/{shown['name']}.png)")
        parts.append(shown["caption"])
    return "\n\n".join(parts)
