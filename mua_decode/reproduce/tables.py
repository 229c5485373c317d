"""The tables of the paper, ours beside the published values, both protocols side by side."""

from __future__ import annotations

from pathlib import Path

from mua_decode.analyses.ablate import paper as ablate
from mua_decode.analyses.compare import paper as compare
from mua_decode.analyses.crossval import paper as crossval
from mua_decode.analyses.encode import paper as encode
from mua_decode.analyses.generalise import paper as generalise
from mua_decode.analyses.isolate import paper as isolate
from mua_decode.analyses.latents import paper as latents
from mua_decode.analyses.noise import paper as noise
from mua_decode.analyses.reconstruct import paper as reconstruct
from mua_decode.analyses.repeat import paper as repeat
from mua_decode.analyses.sampling import paper as sampling
from mua_decode.analyses.similarity import paper as similarity
from mua_decode.files import write_text
from mua_decode.report.paper import PaperTable, Results


def paper_tables(results: Results) -> list[PaperTable]:
    """All tables, in order; each says what its networks differ in from the published ones."""
    tables = [
        reconstruct.cue_shape(results),
        reconstruct.colour(results),
        reconstruct.motion(results),
        *(ablate.masking(results, metric) for metric in ablate.MASKED),
        ablate.prediction_tests(results),
        ablate.contrasts(results),
        ablate.tests(results),
        isolate.alone(results),
        isolate.chance(results),
        isolate.colour(results),
        isolate.motion(results),
        isolate.published_chance(results),
        encode.encoding(results),
        encode.bands(results),
        similarity.similarity(results),
        compare.baselines(results),
        crossval.folds(results),
        ablate.shapley(results),
        ablate.equal_sites(results),
        generalise.held_out(results),
        generalise.curves(results),
        latents.separation(results),
        noise.noise(results),
        reconstruct.motion_tests(results),
        repeat.seeds(results),
        encode.fine_bands(results),
        encode.null(results),
        compare.channels(results),
        sampling.rates(results),
        similarity.trials(results),
        ablate.mixed(results),
        repeat.mixed(results),
    ]
    return [results.marked(table) for table in tables]


def write_tables(out: Path, tables: list[PaperTable]) -> None:
    """Write one CSV per table; one that does not apply says why."""
    (out / "tables").mkdir(exist_ok=True)
    for table in tables:
        path = out / "tables" / f"{table.name}.csv"
        if table.frame is not None:
            write_text(path, table.frame.to_csv(index=False, float_format="%.6g"))
        else:
            write_text(path, f"# not applicable to this recording: {table.reason}\n")
