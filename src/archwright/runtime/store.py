"""A run's folder: `manifest.json`, `history.sqlite`, `checkpoints/`.

Written before a trial starts and after it ends.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, create_engine, event, select
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, encodable
from archwright.core.history import History
from archwright.core.objective import Goal
from archwright.core.trial import Evaluation, Trial
from archwright.runtime.files import whole

FORMAT = 1
"""Version of the folder's layout; a newer one is refused, an older one is read for ever."""

STORE_FILES = frozenset({"lock", "history.sqlite", "history.sqlite-wal", "history.sqlite-shm"})
"""What `Store` itself puts into a folder."""

_METADATA = MetaData()
_TRIALS = Table(
    "trials",
    _METADATA,
    Column("number", Integer, primary_key=True),  # in the order of asking
    Column("answered", Integer, nullable=False),  # evaluations known when it was proposed: what replay needs
    Column("architecture", String, nullable=False),  # JSON
    Column("fidelity", Float, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("parent", Integer),
)
_EVALUATIONS = Table(
    "evaluations",
    _METADATA,
    Column("position", Integer, primary_key=True),  # in the order of arrival
    Column("number", Integer, nullable=False, unique=True),  # of its trial
    Column("metrics", String, nullable=False),  # JSON
    Column("curve", String, nullable=False),  # JSON
    Column("cost", Float, nullable=False),  # seconds
    Column("failure", String),
    Column("rejected", Integer, nullable=False),
    Column("reused", Integer),
    Column("elapsed", Float, nullable=False),  # seconds into the search
)


class StoreError(ArchwrightError):
    """A run's folder that can't be written or read."""


class Store:
    """The history of one run on disk. Use as a context manager, or `close` it.

    Each change is one SQLite transaction in write-ahead mode: it survives `kill -9` at any instant.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self.folder = folder
        self._position = 0
        if write:
            _make_folder(folder)
        self._lock = _locked(folder) if write else None
        path = folder / "history.sqlite"
        self._engine = create_engine(f"sqlite:///{path}", creator=partial(_connect, path, write))
        event.listen(self._engine, "connect", _set_pragmas if write else _set_reader)
        try:
            with self._explained():
                if write:
                    _METADATA.create_all(self._engine)
                self._connection = self._engine.connect()
        except BaseException:
            self._let_go()
            raise
        self._insert_trial = str(_TRIALS.insert().compile(self._engine))
        self._insert_evaluation = str(_EVALUATIONS.insert().compile(self._engine))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets other processes write to the run."""
        self._connection.close()
        self._let_go()

    def _let_go(self) -> None:
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def asked(self, number: int, trial: Trial, answered: int) -> None:
        """Writes a trial down before it starts."""
        row = (number, answered, trial.architecture.to_json(), trial.fidelity, trial.seed, trial.parent)
        self._write(self._insert_trial, row)

    def answered(self, number: int, evaluation: Evaluation, elapsed: float) -> None:
        """Writes an evaluation down when it has ended."""
        row = (
            self._position,
            number,
            json.dumps(dict(evaluation.metrics)),
            json.dumps(evaluation.curve),
            evaluation.cost,
            None if evaluation.failure is None else encodable(evaluation.failure),
            int(evaluation.rejected),
            evaluation.reused,
            elapsed,
        )
        self._write(self._insert_evaluation, row)
        self._position += 1

    def load(self, goal: Goal) -> tuple[History, list[float]]:
        """The history, pending trials included, and when each evaluation ended (seconds into the search)."""
        history, times = History(goal), []
        with self._explained():
            # Evaluations first: a search that is running meanwhile can then only have added trials to them.
            evaluations = self._connection.execute(select(_EVALUATIONS).order_by(_EVALUATIONS.c.position)).all()
            trials = self._connection.execute(select(_TRIALS).order_by(_TRIALS.c.number)).all()
            self._connection.rollback()
        for row in trials:
            history.ask(Trial(Architecture.from_json(row.architecture), row.fidelity, row.seed, row.parent))
        for row in evaluations:
            evaluation = Evaluation(
                history.pending[row.number],
                json.loads(row.metrics),
                tuple(json.loads(row.curve)),
                row.cost,
                row.failure,
                bool(row.rejected),
                row.reused,
            )
            history.append(row.number, evaluation)
            times.append(row.elapsed)
        self._position = len(history)
        return history, times

    def known_when_asked(self) -> list[int]:
        """For each trial, how many evaluations had arrived when it was proposed."""
        with self._explained():
            rows = self._connection.execute(select(_TRIALS.c.answered).order_by(_TRIALS.c.number)).all()
            self._connection.rollback()
        return [row.answered for row in rows]

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        with self._explained():
            self._connection.exec_driver_sql(statement, row)
            self._connection.commit()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            text = str(error.orig)
            if "full" in text or "disk I/O" in text:
                raise StoreError(
                    f"can't write to {self.folder} ({text}): free some space, then `archwright resume {self.folder}`; "
                    "every finished evaluation is kept"
                ) from error
            if self._lock is None and not os.access(self.folder, os.W_OK):
                raise StoreError(
                    f"can't read {self.folder / 'history.sqlite'} ({text}): whoever may write to the folder has to end "
                    f"the search that writes there, or, if it was killed, to look at the run once: `archwright show "
                    f"{self.folder}`"
                ) from error
            raise StoreError(f"can't use {self.folder / 'history.sqlite'}: {text}") from error
        except IntegrityError as error:  # of what was to be written, not of what is there
            raise StoreError(
                f"{self.folder / 'history.sqlite'} can't hold what was to be written: {error.orig}"
            ) from error
        except DatabaseError as error:
            raise StoreError(f"{self.folder / 'history.sqlite'} is damaged or no history: {error.orig}") from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Inside, nobody else writes to a run: no search goes on there, and no winner is trained.

    Raises:
        StoreError: somebody does so now, or the folder can't be written.
    """
    _make_folder(folder)
    lock = _locked(folder)
    try:
        yield
    finally:
        lock.release()


def _locked(folder: Path) -> BaseFileLock:
    lock = FileLock(str(folder / "lock"), thread_local=False)  # a search may end in another thread than it began in
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(
            f"{folder} is being written by another process, or by a search in this one that was not closed: wait for "
            "it, or end it"
        ) from None
    return lock


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    """Opens a history.

    Readers of a write-ahead log make files beside it: where they can't, and the log is empty, the history is read as a
    file that nobody changes.
    """
    if write or os.access(path.parent, os.W_OK) or _has_log(path):
        return sqlite3.connect(path, check_same_thread=False)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _has_log(path: Path) -> bool:
    """Whether there are changes that aren't in the history's file yet."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _set_pragmas(connection: Any, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # safe against the death of the process, not of the power


def _set_reader(connection: Any, _: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise StoreError(f"can't write to {folder}: {error.strerror}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all.

    Raises:
        StoreError: the folder can't be written.
    """
    try:
        with whole(path) as part:
            part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror}") from error


def read_json(path: Path) -> Any:
    """Reads a JSON file of a run.

    Raises:
        StoreError: it is not there or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path} can't be read: {error}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """A run's manifest.

    Raises:
        StoreError: the folder is no run, or one of a newer version.
    """
    if not folder.is_dir():
        raise StoreError(f"there is no run {folder}")
    if not (folder / "manifest.json").is_file():
        pages = ", ".join(str(page) for page in sorted(folder.glob("*.html")))  # such as a diagnosis's
        hint = f"; see {pages}" if pages else ""
        raise StoreError(f"{folder} is no run of archwright: it has no manifest.json{hint}")
    manifest = read_json(folder / "manifest.json")
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or not isinstance(version, int):
        raise StoreError(f"{folder / 'manifest.json'} is not a manifest of archwright")
    if version > FORMAT:
        raise StoreError(
            f"{folder} was written by a newer archwright (format {version}, version {manifest.get('archwright')}; this "
            f"one reads format {FORMAT}): upgrade with `pip install -U archwright`"
        )
    return manifest
