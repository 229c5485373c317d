"""How much memory it takes to read one session from a large NWB file.

Writes a file with a raw signal of several GB beside units, trials and videos, reads it in a fresh
process, prints the peak resident memory of that process, and deletes the file:

    python benchmarks/nwb_memory.py --gigabytes 5 --folder /tmp
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

SESSION_S, TRIALS, TRIAL_S, RATE_HZ = 7200, 1000, 4.5, 20


def write(path: Path, gigabytes: float, units: int) -> None:
    from hdmf.common import VectorData, VectorIndex
    from hdmf.data_utils import GenericDataChunkIterator
    from pynwb import NWBHDF5IO, NWBFile, TimeSeries
    from pynwb.image import ImageSeries
    from pynwb.misc import Units

    class Noise(GenericDataChunkIterator):
        """The raw signal, made as it is written."""

        def _get_data(self, selection: tuple[slice, ...]) -> np.ndarray:
            shape = [s.stop - s.start for s in selection]
            return np.full(shape, selection[0].start % 1000, np.int16)

        def _get_maxshape(self) -> tuple[int, ...]:
            return (int(gigabytes * 1e9 / 2 / 64), 64)

        def _get_dtype(self) -> np.dtype:
            return np.dtype(np.int16)

    rng = np.random.default_rng(0)
    nwb = NWBFile("a large session", "large", datetime(2020, 1, 1, tzinfo=UTC), session_id="large")
    nwb.add_acquisition(TimeSeries(name="raw", data=Noise(), unit="V", rate=30000.0))
    nwb.add_trial_column("cue", "cue shown")
    for trial in range(TRIALS):
        start = trial * (SESSION_S / TRIALS)
        nwb.add_trial(start_time=start, stop_time=start + TRIAL_S, cue="AB"[trial % 2])
    spikes = [
        np.sort(rng.uniform(0, SESSION_S, rng.poisson(SESSION_S * RATE_HZ))) for _ in range(units)
    ]
    ends = np.cumsum([len(s) for s in spikes])
    data = VectorData(name="spike_times", description="seconds", data=np.concatenate(spikes))
    index = VectorIndex(name="spike_times_index", data=ends.astype(np.uint64), target=data)
    area = VectorData(name="area", description="region", data=["V4"] * units)
    nwb.units = Units(name="units", description="units", columns=[index, data, area])
    for name in "AB":
        frames = rng.integers(0, 256, (45, 64, 64, 3), dtype=np.uint8)
        nwb.add_stimulus_template(ImageSeries(name=name, data=frames, unit="grey", rate=10.0))
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


def peak_mib() -> float:
    """Largest resident memory of this program; getrusage would count the parent's too."""
    (line,) = [t for t in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in t]
    return int(line.split()[1]) / 1024


def read(path: Path) -> None:
    from mua_decode.recordings import VideoSource, read_nwb

    before = peak_mib()
    start = time.perf_counter()
    recording = read_nwb(
        str(path), condition=["cue"], region="area", videos=VideoSource(frame_size=32)
    )
    session = recording.sessions[0]
    assert session.spike_times is not None
    seconds = time.perf_counter() - start
    peak = peak_mib()
    print(
        f"{path.stat().st_size / 1e9:.2f} GB file, {len(session.sites)} units, "
        f"{len(session.spike_times.time_s) / 1e6:.1f} M spikes in {session.n_trials} trials: "
        f"{seconds:.1f} s, peak {peak:.0f} MiB ({before:.0f} MiB after imports)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5.0, help="of raw signal")
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--read", type=Path, help="only read this file, in this process")
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    path = given.folder / "large_session.nwb"
    try:
        write(path, given.gigabytes, given.units)
        subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
