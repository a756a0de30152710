"""A search as the session describes it: exemplars in, the command and its answer out.

The search itself is that of `sky-ssl search`, with the arguments that are shown to the user.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app import cache, objects, state
from app.routes import SHELF, View
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.expanding import COUNT
from sky_ssl.explore.queries import Exemplars, exemplars_of_rows, join
from sky_ssl.explore.search import Results
from sky_ssl.figures.thumbnail import colour_jpeg
from sky_ssl.workspace import MODELS


@dataclass(frozen=True)
class Picture:
    """Uploaded images that were embedded."""

    key: str
    name: str  # of the file
    model: str  # hash of the weights that embedded it
    run: str
    exemplars: Exemplars


@dataclass(frozen=True)
class Query:
    """What to search by."""

    like: tuple[str, ...]
    unlike: tuple[str, ...]
    pictures: tuple[Picture, ...]
    top: int
    expand: bool = False  # search again, with the best that were found as exemplars too

    @property
    def key(self) -> str:
        """Name the query by its content."""
        pictures = tuple(p.key for p in self.pictures)
        parts = (self.like, self.unlike, pictures, self.top, self.expand)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def words(self) -> str:
        """Say what it is, in a few words."""
        n, m = len(self.like) + sum(len(p.exemplars) for p in self.pictures), len(self.unlike)
        text = f"{n} exemplar{'s' * (n != 1)}"
        return f"{text} and {m} counter-example{'s' * (m != 1)}" if m else text


@dataclass(frozen=True)
class Answer:
    """What was found."""

    results: Results
    how: dict[str, Any]  # as the command says it: searched, score, index, ...
    seconds: float


def query_of(data: DataSet) -> Query:
    """Take the exemplars of the session that are of this data set and its model."""
    now = state.now()
    return Query(
        tuple(i for i in now.like if i in data.row_of),
        tuple(i for i in now.unlike if i in data.row_of),
        tuple(p for p in now.pictures if p.model == data.model),
        now.top,
        now.expand,
    )


def command(path: Path, query: Query) -> list[str]:
    """Write the command of a query, word by word."""
    words = ["sky-ssl", "search", "--embeddings", str(path)]
    for option, names in (("--like", query.like), ("--unlike", query.unlike)):
        for name in names:
            words += [f"{option}={name}"] if name.startswith("-") else [option, name]
    for picture in query.pictures:
        words += ["--image", picture.name]
    if query.pictures:
        words += ["--run", query.pictures[0].run]
    words += ["--expand", str(COUNT)] if query.expand else []
    return [*words, "--top", str(query.top)]


def answer(data: DataSet, words: Sequence[str], query: Query) -> Answer:
    """Search as the command does."""
    from sky_ssl.commands.searchwork import _among_embeddings

    started = time.monotonic()
    like, unlike = exemplars(data, query)
    results, how = _among_embeddings(_arguments(words), data.embeddings, like, unlike)
    return Answer(results, how, time.monotonic() - started)


def save(data: DataSet, path: Path, query: Query, file: Path, *, name: str = "",
         threshold: float | None = None) -> None:  # fmt: skip
    """Write a search as a selection rule, as the command does."""
    from sky_ssl.commands.searchwork import _save_rule

    more = ["--save", str(file), f"--name={name}"]
    more += [] if threshold is None else [f"--threshold={threshold!r}"]
    like, unlike = exemplars(data, query)
    _save_rule(_arguments([*command(path, query), *more]), data.embeddings, like, unlike)


def exemplars(data: DataSet, query: Query) -> tuple[Exemplars, Exemplars | None]:
    """Give exemplars and counter-examples; None where there are no counter-examples.

    Raises:
        InputError: no exemplars.
    """
    e = data.embeddings
    parts = [p.exemplars for p in query.pictures]
    if query.like:
        parts.insert(0, exemplars_of_rows(e, [data.row_of[i] for i in query.like]))
    if not parts:
        raise InputError("nothing to search for: make an object an exemplar first")
    unlike = [data.row_of[i] for i in query.unlike]
    return join(parts), exemplars_of_rows(e, unlike) if unlike else None


def _arguments(words: Sequence[str]) -> Any:
    from sky_ssl.cli import build_parser

    return build_parser().parse_args(list(words[1:]))


def load_embedder(data: DataSet, runs: Path) -> tuple[str, Any]:
    """Load the model of a data set: its run, and the embedder.

    Raises:
        InputError: the run is not in the workspace.
    """
    from sky_ssl.explore.embedder import open_embedder
    from sky_ssl.explore.modelrun import find_run

    run = find_run(data.model, runs, MODELS) if data.model else None
    if run is None:
        model = data.model[:12] or "unknown"
        raise InputError(
            f"images need the model that these embeddings were made with ({model}), and no run in "
            f"{runs} or {MODELS} is that model"
        )
    return str(run), open_embedder(run, data.embeddings, device="cpu")


def add_picture(path: Path, data: DataSet, name: str, content: bytes, at: str,
                allow_pixel_scale: bool) -> Picture:  # fmt: skip
    """Embed an uploaded image and make it an exemplar.

    Raises:
        InputError: it cannot be read, or does not fit the model.
    """
    from sky_ssl.explore.uploads import embed_upload

    run, embedder = cache.embedder(path, state.workspace().runs)
    made = embed_upload(embedder, name, content, at=at, allow_pixel_scale=allow_pixel_scale)
    key = hashlib.sha256(repr((name, at, allow_pixel_scale)).encode() + content).hexdigest()
    picture = Picture(key, name, data.model, run, made)
    others = tuple(p for p in state.now().pictures if p.key != key)
    state.change(pictures=(*others, picture))
    return picture


def shown(path: Path, data: DataSet, query: Query) -> list[dict[str, Any]]:
    """Describe the exemplars of a query for the strip of thumbnails."""
    about = objects.address(path)
    items = [
        {"key": name, "name": name, "picture": f"{about}{data.row_of[name]}.jpg", "how": how,
         "fixed": False}
        for how, names in (("like", query.like), ("unlike", query.unlike))
        for name in names
    ]  # fmt: skip
    for picture in query.pictures:
        place = SHELF.show(View(f"picture {picture.key}", lambda row, p=picture: draw(data, p, row),
                                lambda row, p=picture: [p.exemplars.ids[row]],
                                len(picture.exemplars)))  # fmt: skip
        items.append({"key": f"picture {picture.key}", "name": picture.name,
                      "picture": f"{place}0.jpg", "how": "like", "fixed": True})  # fmt: skip
    return items


def draw(data: DataSet, picture: Picture, row: int) -> bytes:
    """Draw an uploaded image like the objects beside it."""
    assert picture.exemplars.images is not None
    image = picture.exemplars.images[row]
    if data.cutouts is None or len(data.cutouts.info.bands) != len(image):
        from sky_ssl.figures.thumbnail import band_jpeg

        return band_jpeg(image[0], float(np.nanstd(image[0])) or 1.0)
    return colour_jpeg(image, *objects.stretch_of(data))


def take_out(key: str) -> None:
    """Take an exemplar out."""
    if key.startswith("picture "):
        state.change(pictures=tuple(p for p in state.now().pictures if f"picture {p.key}" != key))
    else:
        state.mark(key, "")


def turn(key: str) -> None:
    """Make a counter-example of an exemplar, or the other way round."""
    state.mark(key, "unlike" if key in state.now().like else "like")


def mark_rows(data: DataSet, rows: npt.NDArray[np.int64], how: str) -> None:
    """Make objects exemplars or counter-examples."""
    for name in data.embeddings.id[rows]:
        state.mark(str(name), how)
