"""The report: one HTML page that holds everything it shows."""

from mua_decode.report.elements import Headline, NotApplicable, Picture, Section, Statistics
from mua_decode.report.films import Films
from mua_decode.report.page import write_page
from mua_decode.report.region_panel import RegionPanel

__all__ = [
    "Films",
    "Headline",
    "NotApplicable",
    "Picture",
    "RegionPanel",
    "Section",
    "Statistics",
    "write_page",
]
