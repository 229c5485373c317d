"""One worker of a sweep: it takes trials from the study until all are done."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mua_decode.sweep.study import SharedStudy
from mua_decode.sweep.sweep import Sweep
from mua_decode.sweep.trial import TrialLostError, run_trial
from mua_decode.types import InputError


def work(sweep: Sweep, after: Callable[[SharedStudy], None] | None = None) -> None:
    """Run trials until all of the sweep are done, those of dead workers included.

    Parameters
    ----------
    after
        Called after every trial.

    Raises
    ------
    InputError
        If the recording cannot be read, or is another than that of the trials so far; no trial is
        touched then.
    """
    shared = SharedStudy(sweep.plan, sweep.folder)
    shared.lay_out()
    if shared.complete:
        return
    shared.join(sweep.read_fingerprint())
    while True:
        shared.revive()
        slot = shared.claim()
        if slot is None:
            if shared.complete:
                return
            # Others are at work; should one of them die, its trial is ours.
            time.sleep(min(2.0, sweep.plan.heartbeat_s))
            continue
        with shared.heartbeat(slot):
            try:
                run_trial(sweep, shared, slot)
            except TrialLostError:
                pass
            except (KeyboardInterrupt, SystemExit):
                shared.release(slot)
                raise KeyboardInterrupt from None
            except Exception as error:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                shared.fail(slot, reason)
        if after is not None:
            after(shared)


def work_in(folder: str) -> None:
    """Run trials of the sweep in a folder, as its ``sweep.yaml`` says; for worker processes."""

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    work(Sweep.open(OmegaConf.load(Path(folder) / "sweep.yaml"), Path(folder)))


if __name__ == "__main__":
    try:
        work_in(sys.argv[1])
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
