"""Work in parts that are kept: each result is a file whose name holds a hash of its settings.

In: a kind of work, its settings, and the function that does it. Out: the result, read from the file
where it is there already. A file is there as a whole or not at all, so a kill loses one part.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError

Array = npt.NDArray[np.floating]
_DIGITS = 6  # of the numbers kept: more would depend on the machine


@dataclass(frozen=True)
class Key:
    """What a part is: its kind, a few words for people, and all that its result depends on."""

    kind: str
    name: str  # such as "native-101-A-trained"; of letters, digits, "-" and "."
    settings: dict[str, Any]  # plain values

    @property
    def stem(self) -> str:
        """Name of its file, without ending."""
        said = json.dumps({"kind": self.kind, **self.settings}, sort_keys=True)
        return f"{self.kind}-{self.name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


class Store:
    """Results of parts in a folder, as JSON; what is large may lie in another."""

    def __init__(self, folder: str | Path, scratch: str | Path | None = None) -> None:
        """Name the folders.

        Args:
            folder: of results, in `parts`.
            scratch: of skies, features and fits; None = beside the results.
        """
        self.folder = Path(folder)
        self.scratch = Path(scratch) if scratch else self.folder

    def result(self, key: Key) -> dict[str, Any] | None:
        """Read the result of a part, or None if it is not done.

        Raises:
            InputError: a file that cannot be read.
        """
        path = self._path("parts", key, ".json")
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["result"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: cannot be read ({error}); remove it") from error
        return found

    def keep(self, key: Key, result: dict[str, Any]) -> None:
        """Write the result of a part; its numbers are rounded to six digits."""
        said = {"kind": key.kind, "settings": key.settings, "result": rounded(result)}
        path = self._path("parts", key, ".json")
        write_whole(path, (json.dumps(said, separators=(",", ":")) + "\n").encode())

    def features(self, key: Key) -> Array | None:
        """Open the features (N, D) of a part, mapped from the disk; None if they are not there.

        Raises:
            InputError: a file that cannot be read.
        """
        path = self._path("features", key, ".npy")
        try:
            found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: cannot be read ({error}); remove it") from error
        return found

    def keep_features(self, key: Key, values: Array) -> None:
        """Write features (N, D), as float32."""
        path = self._path("features", key, ".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial")
        with temporary.open("wb") as file:
            np.save(file, np.asarray(values, dtype=np.float32), allow_pickle=False)
        os.replace(temporary, path)

    def made(self, key: Key, ending: str, make: Callable[[Path], None]) -> Path:
        """Give the path of a file in `skies`; `make` writes it, as a whole, where it is missing."""
        path = self._path("skies", key, ending)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
        return path

    def fit_folder(self, key: Key) -> Path:
        """Give the run directory of a fit."""
        return self._path("fits", key, "")

    def _path(self, folder: str, key: Key, ending: str) -> Path:
        root = self.folder if folder == "parts" else self.scratch
        return root / folder / f"{key.stem}{ending}"


def rounded(value: Any) -> Any:
    """Round all numbers in nested plain values to six digits; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.write_bytes(content)
    os.replace(temporary, path)
