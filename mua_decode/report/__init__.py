"""The report: one HTML page that holds everything it shows."""

from mua_decode.report.elements import (
    Headline,
    NotApplicable,
    Picture,
    RunTable,
    Section,
    Statistics,
)
from mua_decode.report.films import Films, within_budget
from mua_decode.report.page import write_page
from mua_decode.report.region_panel import RegionPanel

__all__ = [
    "Films",
    "Headline",
    "NotApplicable",
    "Picture",
    "RegionPanel",
    "RunTable",
    "Section",
    "Statistics",
    "within_budget",
    "write_page",
]
