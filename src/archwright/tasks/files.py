"""Where a published data set's files are: in the folder given, cached, installed, or downloaded and verified."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

from archwright.tasks.task import BadData

INSTALLED = Path("/usr/share/datasets")  # where Debian's packages put data sets


@dataclass(frozen=True)
class Published:
    """A published data set.

    Attributes:
        name: also the folder's name in $ARCHWRIGHT_DATA, the cache and /usr/share/datasets.
        layouts: sets of files; any complete one will do, and FILE.gz does for FILE.
        mirrors: addresses that end in a slash, tried in order.
        md5: of the files to download, as their authors publish it.
        package: Debian's, if there is one.
    """

    name: str
    layouts: tuple[tuple[str, ...], ...]
    mirrors: tuple[str, ...]
    md5: Mapping[str, str]
    package: str = ""

    def find(self, folder: str | Path | None) -> list[Path] | None:
        """The files of the first complete layout, in its order; None if no folder is given and no usual place has them.

        Raises:
            BadData: `folder` is given and lacks files.
        """
        if folder is None:
            places = (self.cache, Path.home() / ".cache/archwright" / self.name, INSTALLED / self.name)
            return next((files for place in places if (files := self._complete(place))), None)
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise BadData(f"there is no folder {place}; make it and put {' '.join(self.md5)} into it")
        files = self._complete(place)
        if files is None:
            raise BadData(f"{place} lacks files of {self.name}; put {' '.join(self.md5)} into it")
        return files

    def locate(self, folder: str | Path | None) -> list[Path]:
        """As `find`, but downloads what is nowhere.

        Raises:
            BadData: the download failed; says which files to put where.
        """
        return self.find(folder) or self._download()

    @property
    def cache(self) -> Path:
        """Where downloads go: $ARCHWRIGHT_DATA/NAME, or ~/.cache/archwright/NAME."""
        chosen = os.environ.get("ARCHWRIGHT_DATA")
        return (Path(chosen).expanduser() if chosen else Path.home() / ".cache/archwright") / self.name

    def _complete(self, place: Path) -> list[Path] | None:
        for layout in self.layouts:
            files = [_plain_or_packed(place / name) for name in layout]
            if all(file.is_file() for file in files):
                return files
        return None

    def _download(self) -> list[Path]:
        for name, md5 in self.md5.items():
            if not (self.cache / name).is_file():
                self._fetch(name, md5)
        return self.find(self.cache) or []

    def _fetch(self, name: str, md5: str) -> None:
        reasons = []
        for mirror in self.mirrors:
            try:
                _fetch(mirror + name, md5, self.cache / name)
                return
            except (OSError, HTTPException) as error:
                reasons.append(f"{mirror}: {error}")
        package = f", or install Debian's package {self.package}" if self.package else ""
        raise BadData(
            f"{self.name} isn't on this machine and {name} can't be downloaded ({'; '.join(reasons)}); "
            f"put {' '.join(self.md5)} into {self.cache}{package}"
        )


def read(path: Path) -> bytes:
    """A file's bytes, unpacked if they are gzip's.

    Raises:
        BadData: it can't be read or unpacked.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{path} can't be read ({error}); fetch it again") from error


def _plain_or_packed(file: Path) -> Path:
    return file if file.is_file() else file.with_name(file.name + ".gz")


def _fetch(url: str, md5: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid4().hex}")  # renamed when whole: workers may fetch at once
    try:
        with urlopen(url, timeout=30) as response, partial.open("wb") as file:
            shutil.copyfileobj(response, file)
        with partial.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise OSError(f"MD5 sum {found}, not {md5}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
