"""The report: one HTML page that holds everything it shows."""

from mua_decode.report.page import Picture, Section, write_page

__all__ = ["Picture", "Section", "write_page"]
