"""Table and films of the paper: other sampling rates."""

from __future__ import annotations

from mua_decode.report import Picture, Section
from mua_decode.report.paper import TITLES, PaperTable, Results, Tables, paper_section


def rates(results: Results) -> PaperTable:
    """S33: scores at every sampling rate."""
    title = "Sampling rates: the video decoded at other steps of the counting window"
    return results.table("S33_sampling_rates", title, "sampling/rates.csv")


def section(results: Results, tables: Tables) -> Section:
    """Films and scores at every rate."""
    pictures: list[Picture] = []
    for protocol in results.protocols:
        table = results.read(protocol, "sampling/rates.csv")
        if table is None:
            continue
        for step in table.loc[table["run"].notna(), "step_ms"].unique():
            path = results.out / protocol / "sampling" / "figures" / f"film_{step:g}ms.gif"
            caption = (
                f"A frame every {step:g} ms: true (left) and decoded (right), averages over test "
                f"trials of the first condition, {TITLES[protocol]}."
            )
            if path.is_file():
                pictures.append(Picture(path, caption))
    text = [
        "A network per step of the counting window, whose width stays; the frame of a bin is the "
        "one on screen at the centre of its window. Steps that the recorded bins do not allow are "
        "left out and say why."
    ]
    return paper_section("Movies 1-3. Sampling rates", text, [tables["S33"]], pictures)
