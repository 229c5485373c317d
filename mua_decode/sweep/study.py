"""The study that workers and machines share: who runs which trial, and what became of it.

A sweep has a fixed number of slots, one per trial. The first trials of the study by number are the
slots, so that machines that start at once and all lay them out agree on which count. A trial whose
worker was killed is followed by a copy of it, and the lowest-numbered copy alone counts, so that
machines that notice at once do not run it twice.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from mua_decode.types import InputError

_ORIGIN = "retry_of"
REASON = "reason"
_PATIENCE_S = 120  # for other workers that hold the study


@dataclass(frozen=True)
class Slot:
    """One trial of the sweep.

    Parameters
    ----------
    number
        From 0.
    trial
        Its latest attempt.
    attempts
        How often it was begun or waits to be.
    """

    number: int
    trial: FrozenTrial
    attempts: int

    @property
    def done(self) -> bool:
        """Finished, stopped early, or failed for a reason of its own."""
        state = self.trial.state
        return state in (TrialState.COMPLETE, TrialState.PRUNED) or self.failed

    @property
    def failed(self) -> bool:
        """Whether it failed for good."""
        return self.trial.state == TrialState.FAIL and REASON in self.trial.user_attrs


class SharedStudy:
    """A study in a database.

    Parameters
    ----------
    url
        Of the database; made if it does not exist.
    name
        Of the study in it.
    heartbeat_s, grace_s
        How often a running trial says that it is alive, and how long it may be silent.
    retries
        How often a trial whose worker died is run again.

    Raises
    ------
    InputError
        If the database cannot be opened.
    """

    def __init__(
        self, url: str, name: str, *, heartbeat_s: int = 10, grace_s: int = 60, retries: int = 3
    ) -> None:
        if ":memory:" in url or url == "sqlite://":
            raise InputError("storage: workers cannot share a database in memory")
        if not 1 <= heartbeat_s < grace_s:
            raise InputError(
                f"sweep: expected 1 <= heartbeat_s < grace_s, found {heartbeat_s} and {grace_s}"
            )
        self.heartbeat_s, self.retries = heartbeat_s, retries
        with unexcited():
            self.storage = _open(url, heartbeat_s, grace_s)
            self.study = optuna.create_study(
                storage=self.storage, study_name=name, direction="minimize", load_if_exists=True
            )

    def slots(self, n_trials: int) -> list[Slot]:
        """The trials of the sweep, those already laid out."""
        trials = sorted(self.study.get_trials(deepcopy=False), key=lambda t: t.number)
        following: dict[int, FrozenTrial] = {}
        for trial in trials:
            if _ORIGIN in trial.user_attrs:
                following.setdefault(trial.user_attrs[_ORIGIN], trial)
        found = []
        for number, first in enumerate([t for t in trials if _ORIGIN not in t.user_attrs]):
            latest, attempts = first, 1
            while latest.number in following:
                latest, attempts = following[latest.number], attempts + 1
            found.append(Slot(number, latest, attempts))
        return found[:n_trials]

    def lay_out(self, n_trials: int) -> None:
        """Add the slots that are missing."""
        for _ in range(n_trials - len(self.slots(n_trials))):
            self.study.add_trial(optuna.create_trial(state=TrialState.WAITING))

    def revive(self, n_trials: int) -> None:
        """Queue trials again whose worker died, and give up those that died too often."""
        with unexcited():
            fail_stale_trials(self.study)
        for slot in self.slots(n_trials):
            if slot.trial.state != TrialState.FAIL or slot.failed:
                continue
            if slot.attempts > self.retries:
                # A finished trial takes no notes; a last attempt carries the reason.
                attributes = {REASON: f"its worker died {slot.attempts} times"}
                self._follow(slot.trial, TrialState.FAIL, attributes)
            else:
                self._follow(slot.trial, TrialState.WAITING, {})

    def claim(self, n_trials: int) -> Slot | None:
        """Take a waiting trial that no other worker has taken, or ``None``."""
        for slot in self.slots(n_trials):
            if slot.trial.state != TrialState.WAITING:
                continue
            # The first heartbeat comes before the claim: a worker killed in between leaves no
            # running trial that nobody would ever miss.
            number = slot.trial._trial_id
            self.storage.record_heartbeat(number)
            if self.storage.set_trial_state_values(number, state=TrialState.RUNNING):
                return slot
        return None

    def trial(self, slot: Slot, sampler: optuna.samplers.BaseSampler) -> Trial:
        """The claimed trial, to draw values with and report to."""
        self.study.sampler = sampler
        with unexcited():
            return Trial(self.study, slot.trial._trial_id)

    def runs(self, slot: Slot) -> bool:
        """Whether the trial is still ours: it was not given to another worker meanwhile."""
        return self.storage.get_trial(slot.trial._trial_id).state == TrialState.RUNNING

    def finish(self, slot: Slot, state: TrialState, value: float | None = None) -> None:
        """Write the end of a trial."""
        values = None if value is None else [value]
        self.storage.set_trial_state_values(slot.trial._trial_id, state=state, values=values)

    def fail(self, slot: Slot, reason: str) -> None:
        """End a trial for good that cannot be run."""
        self.storage.set_trial_user_attr(slot.trial._trial_id, REASON, reason)
        self.finish(slot, TrialState.FAIL)

    def release(self, slot: Slot) -> None:
        """Leave a trial to whoever comes next."""
        if self.runs(slot):
            self.finish(slot, TrialState.FAIL)
            self._follow(self.storage.get_trial(slot.trial._trial_id), TrialState.WAITING, {})

    def heartbeat(self, slot: Slot) -> Heartbeat:
        """Say in the background that a trial is alive, as long as the context lasts."""
        return Heartbeat(self.storage, slot.trial._trial_id, self.heartbeat_s)

    def _follow(self, trial: FrozenTrial, state: TrialState, attributes: dict[str, Any]) -> None:
        self.study.add_trial(
            optuna.create_trial(
                state=state,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs={**trial.user_attrs, _ORIGIN: trial.number, **attributes},
            )
        )


class Heartbeat:
    """A thread that records that a trial is alive."""

    def __init__(self, storage: RDBStorage, trial_id: int, seconds: float) -> None:
        self._storage, self._trial_id, self._seconds = storage, trial_id, seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def _beat(self) -> None:
        while not self._end.wait(self._seconds):
            try:
                self._storage.record_heartbeat(self._trial_id)
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError):
                continue  # a database that is away for a moment is within the grace

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()


def _open(url: str, heartbeat_s: int, grace_s: int) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    extra = {"connect_args": {"timeout": _PATIENCE_S}} if sqlite else {"pool_pre_ping": True}
    for attempt in range(5):
        try:
            storage = RDBStorage(url, extra, heartbeat_interval=heartbeat_s, grace_period=grace_s)
            break
        except (ImportError, sqlalchemy.exc.ArgumentError, ValueError) as error:
            raise InputError(f"storage: {url}: {' '.join(str(error).split())}") from error
        except Exception as error:
            # Two that make the tables at once: the second finds them there when it looks again.
            if attempt == 4:
                line = str(error).strip().splitlines()[0]
                raise InputError(f"storage: cannot open {url}: {line}") from error
            time.sleep(0.3 * (attempt + 1))
    if sqlite:
        _serialise(storage)
    return storage


def _serialise(storage: RDBStorage) -> None:
    """Make every transaction of SQLite take the write lock at its beginning.

    SQLite has no row locks: two workers could both read that a trial waits before either writes
    that it took it.
    """

    def connected(connection: Any, record: Any) -> None:  # noqa: ARG001
        connection.isolation_level = None

    def begun(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()
    sqlalchemy.event.listen(storage.engine, "connect", connected)
    sqlalchemy.event.listen(storage.engine, "begin", begun)


@contextmanager
def unexcited() -> Iterator[None]:
    """Leave out that parts of Optuna are marked experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
