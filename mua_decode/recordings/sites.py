"""From what a format knows of its sites to a site table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mua_decode.types import SiteTable

Labels = str | Sequence[str] | np.ndarray


def site_table(
    session: str, site_id: Sequence[str] | np.ndarray, *, region: Labels, subject: Labels
) -> SiteTable:
    """Return the sites of one session; a single region or subject stands for all of them."""

    def per_site(labels: Labels) -> np.ndarray:
        single = isinstance(labels, str)
        return np.full(len(site_id), labels) if single else np.asarray(labels)

    return SiteTable(
        site_id=np.asarray(site_id),
        region=per_site(region),
        session=per_site(session),
        subject=per_site(subject),
    )


def numbered(session: str, n: int, *, first: int = 1) -> list[str]:
    """Return ids for ``n`` sites that have no names of their own."""
    return [f"{session}-{number:03d}" for number in range(first, first + n)]
