"""A comparison's folder: `comparison.json` says what is compared, `searches.jsonl` has a line a finished search."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from archwright.compare.measuring import Outcome
from archwright.compare.terms import Entry, Terms, UnfairComparison
from archwright.core.parts import describe
from archwright.runtime.machine import machine
from archwright.runtime.store import StoreError, read_json, write_json

MANIFEST, SEARCHES = "comparison.json", "searches.jsonl"
FORMAT = 1
"""Version of the folder's layout."""

Outcomes = dict[tuple[str, int], Outcome]
"""By strategy and seed."""


def manifest_of(terms: Terms, entries: Mapping[str, Entry], seeds: int) -> dict[str, Any]:
    """What is compared, for people and for going on."""
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "archwright": importlib.metadata.version("archwright"),
        "benchmarks": {name: describe(judge.benchmark) for name, judge in terms.judges.items()},
        "terms": terms.as_json(),
        "strategies": {label: entry.description for label, entry in entries.items()},
        "baseline": next(label for label, entry in entries.items() if entry.is_baseline),
        "seeds": seeds,
        "machine": machine("numpy", "scipy"),
    }
    return json.loads(json.dumps(manifest))  # type: ignore[no-any-return]  # tuples become lists, as when it is read


class Notes:
    """The finished searches of a comparison that is under way, kept in memory."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.manifest = dict(manifest)
        self.outcomes: Outcomes = {}

    def append(self, outcome: Outcome) -> None:
        """Notes a finished search."""
        self.outcomes[outcome.strategy, outcome.seed] = outcome


class Ledger(Notes):
    """The folder of a comparison that is under way. Use as a context manager.

    A line is one write that ends with a newline. A process that is killed leaves at most a torn last line, which is
    cut off when the comparison goes on.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        super().__init__(manifest)
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder} is a file: give a folder")
        if folder.exists() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
            raise StoreError(f"{folder} holds something else: give another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"can't write to {folder}: {error.strerror}") from error
        self._lock = FileLock(str(folder / "lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(f"{folder} is being written by another process: wait for it, or end it") from None
        except OSError as error:
            raise StoreError(f"can't write to {folder}: {error.strerror}") from error
        try:
            if (folder / MANIFEST).exists():
                old = read_manifest(folder)
                check_same(folder, old, manifest)
                self.manifest = {**manifest, "created": old["created"]}
            write_json(folder / MANIFEST, self.manifest)
            self.outcomes, whole = _read(folder)
            self._file = (folder / SEARCHES).open("ab")
            self._file.truncate(whole)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()

    def append(self, outcome: Outcome) -> None:
        """Writes a finished search down.

        Raises:
            StoreError: the disk is full, or such.
        """
        try:
            self._file.write(json.dumps(outcome.as_json(), separators=(",", ":")).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(f"can't write {self.folder / SEARCHES}: {error.strerror}") from error
        super().append(outcome)


def read_manifest(folder: Path) -> dict[str, Any]:
    """A comparison's manifest.

    Raises:
        StoreError: the folder holds none, or one of a newer version.
    """
    if not (folder / MANIFEST).is_file():
        raise StoreError(f"there is no comparison {folder}" + (f": it has no {MANIFEST}" if folder.exists() else ""))
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise StoreError(f"{folder / MANIFEST} is not a comparison's manifest")
    if manifest["format"] > FORMAT:
        raise StoreError(f"{folder} was written by a newer archwright ({manifest.get('archwright')}): upgrade with pip")
    return manifest


def read_outcomes(folder: Path) -> Outcomes:
    """The finished searches of a comparison, also while it is under way."""
    return _read(folder)[0]


def _read(folder: Path) -> tuple[Outcomes, int]:
    """The finished searches, and how many bytes of the file are whole lines."""
    path = folder / SEARCHES
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    outcomes: Outcomes = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            outcome = Outcome.from_json(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path}: line {number} is damaged: {error}") from None
        outcomes[outcome.strategy, outcome.seed] = outcome
    return outcomes, whole


def check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Whether `new` goes on with `old`: the same terms; more seeds and more strategies are welcome.

    Raises:
        UnfairComparison: they can't be one comparison, and why.
    """
    if old["archwright"] != new["archwright"]:
        raise _refused(folder, f"its searches were made by archwright {old['archwright']}, this is {new['archwright']}")
    for name, value in new["terms"].items():
        if old["terms"].get(name) != value:
            raise _refused(folder, _difference(name, old["terms"].get(name), value))
    for label, description in old["strategies"].items():
        if label not in new["strategies"]:
            raise _refused(folder, f"it compares {label} too, which now is missing")
        now = new["strategies"][label]
        if {**now, "code": None} != {**description, "code": None}:
            raise _refused(folder, f"{label} has other fields now than its searches were made with")
        if now["code"] != description["code"]:
            raise _refused(folder, f"the code of {label} was changed since its searches were made")
    if old["seeds"] > new["seeds"]:
        raise _refused(folder, f"it has {old['seeds']} seeds a strategy, and now {new['seeds']} are asked for")


def _difference(name: str, old: Any, new: Any) -> str:
    if name in ("evaluations", "seconds"):
        return f"its searches have a budget of {name}: {_number(old)}, and now {_number(new)}; budgets have to be equal"
    if name == "judges":
        if list(old) != list(new):
            return f"its winners are judged on {', '.join(old)}, and now on {', '.join(new)}"
        name, (old, new) = next((key, (old[key], new[key])) for key in old if old[key] != new[key])
        if old["table"] != new["table"]:
            return f"the table of {name} is another one than it was searched with"
    if isinstance(old, str | int | float | list) and isinstance(new, str | int | float | list):
        return f"its {name} is {old}, and now {new}"
    return f"its {name} is another one"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:,g}"


def _refused(folder: Path, reason: str) -> UnfairComparison:
    return UnfairComparison(f"{folder} holds another comparison: {reason}; give another folder")


def same_folder(parent: Path, stem: str, manifest: Mapping[str, Any]) -> Path:
    """The folder `parent/stem-N` that this comparison goes on in; else the first that is free."""
    number = 1
    while os.path.lexists(folder := parent / f"{stem}-{number}"):
        try:
            check_same(folder, read_manifest(folder), manifest)
        except (StoreError, UnfairComparison, KeyError):
            number += 1
        else:
            return folder
    return folder
