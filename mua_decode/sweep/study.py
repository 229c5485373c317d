"""The study that workers and machines share: who runs which trial, and what became of it.

A sweep has a fixed number of slots, one per trial. The first trials of the study by number are the
slots, so that machines that start at once and all lay them out agree on which count. A trial whose
worker was killed is followed by a copy of it, and the lowest-numbered copy alone counts, so that
machines that notice at once do not run it twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.meanwhile import meanwhile
from mua_decode.sweep.plan import SweepPlan, unexcited
from mua_decode.types import InputError, masked

_OPTIONS, _RECORDING = "config", "recording"  # of the study
_ORIGIN = "retry_of"  # of a trial, as is
_LEFT = "left"  # the trial before it, which its worker gave back
REASON = "reason"
_PATIENCE_S = 120  # for other workers that hold the study
_BEATS = sqlalchemy.text(
    "SELECT h.trial_id, h.heartbeat FROM trial_heartbeats h JOIN trials t "
    "ON t.trial_id = h.trial_id WHERE t.study_id = :study AND t.state = 'RUNNING'"
)
# What SQLite says of a file that is damaged, or no database: SQLITE_CORRUPT and SQLITE_NOTADB.
_DAMAGED = (11, 26)


@dataclass(frozen=True)
class Slot:
    """One trial of the sweep, from 0: its latest attempt of how many begun or waiting.

    ``fruitless`` workers in a row died at it without finishing an epoch that none before had.
    """

    number: int
    trial: FrozenTrial
    attempts: int
    fruitless: int

    @property
    def done(self) -> bool:
        """Finished, stopped early, or failed for a reason of its own."""
        return self.trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or self.failed

    @property
    def failed(self) -> bool:
        """Whether it failed for good."""
        return self.trial.state == TrialState.FAIL and REASON in self.trial.user_attrs


class SharedStudy:
    """The study of a sweep, in a database that is made if it does not exist.

    It lies in the folder of the sweep where the plan names no other. ``InputError`` if it cannot
    be opened.
    """

    def __init__(self, plan: SweepPlan, folder: Path) -> None:
        url = plan.storage or f"sqlite:///{folder.resolve() / 'study.db'}"
        if ":memory:" in url or url == "sqlite://":
            raise InputError("storage: workers cannot share a database in memory")
        self.plan, self._folder = plan, folder
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with unexcited():
            self.storage = _open(url, plan.heartbeat_s, plan.grace_s)
            # By default the value of a trial is minimised.
            self.study = optuna.create_study(
                storage=self.storage, study_name=plan.name, load_if_exists=True, pruner=plan.pruner
            )

    def join(self, here: Fingerprint) -> None:
        """Note what all trials have in common.

        ``InputError`` if the study holds trials of other options, or of another recording where
        both are known.
        """
        known = self.study.user_attrs
        options = dict(known.get(_OPTIONS, here.options))
        if any(name.startswith("data.split.") for name in options):
            # A study of an earlier version names no stream: see runs.folder.keep_split.
            options.setdefault("data.split.stream", "shared")
        # Before the recording is read, its content stands for itself: a worker compares it.
        unread = here.recording is None and _RECORDING in known
        but = ("recording",) if unread else ()
        there = Fingerprint.of(options, known.get(_RECORDING), but=but)
        difference = Fingerprint.of(here.options, here.recording, but=but).difference(there)
        if difference is not None:
            raise InputError(
                f"the study of {self._folder} holds another sweep: {difference}; "
                "choose another out_dir or name"
            )
        for name, value in ((_OPTIONS, dict(here.options)), (_RECORDING, here.recording)):
            if name not in known and value is not None:
                self.study.set_user_attr(name, value)

    def slots(self) -> list[Slot]:
        """The trials of the sweep, those already laid out."""
        trials = sorted(self.study.get_trials(deepcopy=False), key=lambda t: t.number)
        following: dict[int, FrozenTrial] = {}
        for trial in trials:
            if _ORIGIN in trial.user_attrs:
                following.setdefault(trial.user_attrs[_ORIGIN], trial)
        found = []
        for number, first in enumerate([t for t in trials if _ORIGIN not in t.user_attrs]):
            attempts = [first]
            while attempts[-1].number in following:
                attempts.append(following[attempts[-1].number])
            found.append(Slot(number, attempts[-1], len(attempts), _fruitless(attempts)))
        return found[: self.plan.n_trials]

    @property
    def complete(self) -> bool:
        """Whether all trials of the sweep are done."""
        return all(slot.done for slot in self.slots())

    def lay_out(self) -> None:
        """Add the slots that are missing."""
        for _ in range(self.plan.n_trials - len(self.slots())):
            self.study.add_trial(optuna.create_trial(state=TrialState.WAITING))

    def revive(self) -> None:
        """Queue trials again whose worker died, and give up those that died too often."""
        with unexcited():
            fail_stale_trials(self.study)
        for slot in self.slots():
            if slot.trial.state != TrialState.FAIL or slot.failed:
                continue
            if slot.fruitless > self.plan.retries:
                # A finished trial takes no notes; a last attempt carries the reason.
                reason = f"its worker died {slot.fruitless} times without a new epoch"
                attributes: dict[str, Any] = {REASON: reason}
                self._follow(slot.trial, TrialState.FAIL, attributes)
            else:
                self._follow(slot.trial, TrialState.WAITING, {})

    def claim(self) -> Slot | None:
        """Take a waiting trial that no other worker has taken, or ``None``."""
        for slot in self.slots():
            if slot.trial.state != TrialState.WAITING:
                continue
            # The first heartbeat comes before the claim: a worker killed in between leaves no
            # running trial that nobody would ever miss.
            number = slot.trial._trial_id
            self.storage.record_heartbeat(number)
            with suppress(RuntimeError):  # by another, meanwhile; UpdateFinishedTrialError is one
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
            left = self.storage.get_trial(slot.trial._trial_id)
            self._follow(left, TrialState.WAITING, {_LEFT: left.number})

    @contextmanager
    def heartbeat(self, slot: Slot) -> Iterator[None]:
        """Say in the background that a trial is alive, as long as the context lasts."""

        def beat() -> None:
            # A database that is away for a moment is within the grace.
            with suppress(SQLAlchemyError, optuna.exceptions.StorageInternalError):
                self.storage.record_heartbeat(slot.trial._trial_id)

        with meanwhile(beat, every_s=self.plan.heartbeat_s):
            yield

    def _follow(self, trial: FrozenTrial, state: TrialState, attributes: dict[str, Any]) -> None:
        noted = {**trial.user_attrs, _ORIGIN: trial.number, **attributes}
        drawn, ranges = trial.params, trial.distributions
        again = optuna.create_trial(
            state=state, params=drawn, distributions=ranges, user_attrs=noted
        )
        self.study.add_trial(again)


class _Storage(RDBStorage):
    """A storage that misses a trial by its own watch too, as clocks may be set back.

    The time of the last heartbeat may then lie hours ahead, and by the clock alone nobody would
    take over the trial of a dead worker before. What has not changed for the grace is silent.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seen: dict[int, tuple[Any, float]] = {}

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        late = super()._get_stale_trial_ids(study_id)
        with self.engine.connect() as connection:
            beats = connection.execute(_BEATS, {"study": study_id}).fetchall()
        now = time.monotonic()
        self._seen = {
            trial: self._seen[trial] if self._seen.get(trial, (None, 0))[0] == beat else (beat, now)
            for trial, beat in beats
        }
        silent = [
            t for t, (_, since) in self._seen.items() if now - since > (self.grace_period or 0)
        ]
        return [*late, *(trial for trial in silent if trial not in late)]


def _fruitless(attempts: Sequence[FrozenTrial]) -> int:
    """How many of the latest attempts in a row died before any epoch that was not known yet."""
    given_back = {trial.user_attrs.get(_LEFT) for trial in attempts}
    count, reached = 0, -1
    for trial in attempts:
        epoch = max(trial.intermediate_values, default=-1)
        died = trial.state == TrialState.FAIL and trial.number not in given_back
        if died:
            count = 0 if epoch > reached else count + 1
        reached = max(reached, epoch)
    return count


def _open(url: str, heartbeat_s: int, grace_s: int) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    extra = {"connect_args": {"timeout": _PATIENCE_S}} if sqlite else {"pool_pre_ping": True}
    for attempt in range(5):
        try:
            storage = _Storage(url, extra, heartbeat_interval=heartbeat_s, grace_period=grace_s)
            break
        except (ImportError, sqlalchemy.exc.ArgumentError, ValueError) as error:
            why = " ".join(str(error).split())
            raise InputError(masked(f"storage: {url}: {why}")) from error
        except Exception as error:
            # Two that make the tables at once: the second finds them there when it looks again.
            if attempt == 4 or _damaged(error):
                line = str(error).strip().splitlines()[0]
                raise InputError(masked(f"storage: cannot open {url}: {line}")) from error
            time.sleep(0.3 * (attempt + 1))
    sqlalchemy.event.listen(storage.engine, "handle_error", partial(_say_damage, url))
    if sqlite:
        _serialise(storage)
    return storage


def _damaged(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that the database is damaged for good."""
    while error is not None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return True
        error = error.__cause__
    return False


def _say_damage(url: str, context: sqlalchemy.engine.ExceptionContext) -> None:
    """Have damage that shows while the study is in use said of its file, wherever it is met."""
    error = context.original_exception
    if isinstance(error, sqlite3.Error) and _damaged(error):
        raise InputError(masked(f"storage: {url} is damaged: {error}")) from error


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
