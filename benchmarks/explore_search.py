"""Speed, recall and memory of a search over many embeddings, exact and approximate.

    python benchmarks/explore_search.py                            # 1,000,000 x 512, 4 tokens
    python benchmarks/explore_search.py --rows 100000 --kinds exact ivf --json result.json

The vectors lie in clusters of unequal size (a mixture of Gaussians on few dimensions, with noise on
all), since real embeddings do and pure noise has no neighbours worth the name. They are written to
a temporary folder (--folder to choose the disk). "whitened" is what `sky-ssl search` does unless
told otherwise: 64 whitened axes, exact; the other kinds score the mean cosine over tokens.

Each kind runs in a process of its own, so that its peak memory is its own: `build` when it makes
the index, `search` when it opens it again and searches. Queries are 50 rows, without themselves;
recall is counted against the exact search of the same score here, beside the figure that the index
was stored with. A first query finds the file in the system's cache where it was written just
before; --cold asks the system to forget it before each process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.explore.neighbours import open_index
from sky_ssl.explore.similarity import normalised, top, top_of_many
from sky_ssl.explore.whitened import open_whitened
from sky_ssl.progress import terminal

_BLOCK = 16_384
_QUERIES = 50
_TOP = 25


def clustered(rows: int, dimensions: int, seed: int) -> Iterator[npt.NDArray[np.float32]]:
    """Make vectors block by block: clusters along 24 axes, their sizes as 1 / rank, and noise."""
    generator = np.random.default_rng(seed)
    count = max(10, rows // 2000)
    axes = generator.normal(size=(24, dimensions)).astype(np.float32) / 24**0.5
    centres = generator.normal(0, 1.5, (count, 24)).astype(np.float32)
    share = 1 / np.arange(1, count + 1)
    for start in range(0, rows, _BLOCK):
        n = min(_BLOCK, rows - start)
        which = generator.choice(count, n, p=share / share.sum())
        inner = centres[which] + generator.standard_normal((n, 24), dtype=np.float32)
        yield inner @ axes + 0.3 * generator.standard_normal((n, dimensions), dtype=np.float32)


def write(path: Path, rows: int, dimensions: int, dtype: str, seed: int) -> None:
    """Write an embeddings file of four tokens, as the pooling `central` makes them."""
    progress = terminal("write", "row")
    columns = {
        "id": np.char.add("o", np.arange(rows).astype(str)),
        "ra": np.linspace(0, 360, rows, endpoint=False),
        "dec": np.zeros(rows),
        "tile": np.full(rows, ""),
    }
    attributes = {"pooling": "central", "model": json.dumps({"width": dimensions // 4})}

    def parts() -> Iterator[npt.NDArray[np.float32]]:
        for number, block in enumerate(clustered(rows, dimensions, seed)):
            progress(min(rows, (number + 1) * _BLOCK), rows)
            yield block

    shape = (rows, dimensions)
    write_embeddings(path, parts(), shape, dtype=dtype, columns=columns, attributes=attributes)


def peak_mb() -> float:
    """Read the largest memory of this process so far, mapped pages in use included, MB.

    From /proc: what `getrusage` gives starts with the memory of the parent process.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def own_mb() -> float:
    """Read the memory of this process that is no page of a mapped file, MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def forget_peak() -> float:
    """Begin to count anew; give the memory in use, MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def build(e: Embeddings, kind: str) -> dict[str, Any]:
    """Make the index."""
    before, started = forget_peak(), time.perf_counter()
    progress = terminal(f"build {kind}", "row")
    if kind == "whitened":
        open_whitened(e, progress=progress)
    else:
        open_index(e, kind=kind, progress=progress)
    return {"build_s": time.perf_counter() - started, "build_peak_mb": peak_mb() - before}


def search(e: Embeddings, kind: str) -> dict[str, Any]:
    """Open the index that is there, and search."""
    rows = query_rows(len(e.values))
    queries = normalised(np.asarray(e.values[rows]), 4)
    before, own_before, opened = forget_peak(), own_mb(), []
    index: Any
    for _ in range(2):  # the first time FAISS is imported as well
        started = time.perf_counter()
        index = open_whitened(e) if kind == "whitened" else open_index(e, kind=kind)
        opened.append(time.perf_counter() - started)
    if kind == "whitened":
        queries = normalised(index.whitening.apply(np.asarray(e.values[rows])), 1)
    times, found = [], []
    for row, query in zip(rows, queries, strict=True):
        started = time.perf_counter()
        found.append(index.search(query, _TOP, exclude=np.array([row]))[0])
        times.append(time.perf_counter() - started)
    pattern = {"exact": "", "whitened": "*.np[yz]"}.get(kind, "*.faiss")
    folder = Path(f"{e.path}.index")
    size = sum(p.stat().st_size for p in folder.glob(pattern)) if pattern else 0
    manifest = None if kind == "whitened" else index.manifest
    return {
        "open_ms": 1000 * opened[1],
        "open_with_import_ms": 1000 * opened[0],
        "first_ms": 1000 * times[0],
        "query_ms": 1000 * float(np.median(times[1:])),
        "stored_recall_at_25": 1.0 if kind == "whitened" else index.recall,
        "cells": f"{manifest.probes} of {manifest.lists}" if manifest else "",
        "search_peak_mb": peak_mb() - before,
        "search_own_mb": own_mb() - own_before,
        "index_mb": size / 1e6,
        "found": [rows.tolist() for rows in found],
    }


def query_rows(rows: int) -> npt.NDArray[np.int64]:
    """Choose objects to search by, others than the index measures itself on."""
    return np.random.default_rng(7).choice(rows, min(_QUERIES, rows), replace=False)


def reference(e: Embeddings) -> tuple[list[npt.NDArray[np.int64]], float]:
    """Find the true neighbours, in one pass; check `top` against it; milliseconds per query."""
    rows = query_rows(len(e.values))
    queries = normalised(np.asarray(e.values[rows]), 4)
    started = time.perf_counter()
    near = top_of_many(e.values, queries, 4, _TOP + 1)
    spent = 1000 * (time.perf_counter() - started) / len(rows)
    exact = [n[n != row][:_TOP] for n, row in zip(near, rows, strict=True)]
    alone = top(e.values, queries[0], 4, _TOP, exclude=rows[:1])[0]
    if len(np.setdiff1d(alone, exact[0])) > 1:  # rounding may swap the last two
        raise SystemExit("one query and many do not agree")
    return exact, spent


def whitened_reference(e: Embeddings) -> list[npt.NDArray[np.int64]]:
    """Find the true neighbours among whitened vectors, by one plain product."""
    rows = query_rows(len(e.values))
    unit = normalised(open_whitened(e).values, 1)
    result = []
    for row in rows:
        score = unit @ unit[row]
        score[row] = -np.inf
        result.append(np.argpartition(-score, _TOP)[:_TOP])
    return result


def forget(path: Path) -> None:
    """Ask the system to drop a file from its cache."""
    for file in [path, *Path(f"{path}.index").glob("*")]:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def run_apart(path: Path, step: str, kind: str, cold: bool) -> dict[str, Any]:
    """Run one step in a process of its own."""
    if cold:
        forget(path)
    command = [sys.executable, __file__, "--step", step, "--kinds", kind, "--file", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(args: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Write the file and measure all kinds."""
    started = time.perf_counter()
    write(path, args.rows, args.dimensions, args.dtype, args.seed)
    written = time.perf_counter() - started
    exact, together = reference(open_embeddings(path))
    kinds = {}
    for kind in args.kinds:
        result = {} if kind == "exact" else run_apart(path, "build", kind, args.cold)
        result |= run_apart(path, "search", kind, args.cold)
        true = whitened_reference(open_embeddings(path)) if kind == "whitened" else exact
        hits = [len(np.intersect1d(a, b)) for a, b in zip(result.pop("found"), true, strict=True)]
        kinds[kind] = {"recall_at_25": sum(hits) / sum(map(len, true)), **result}
    return {
        "rows": args.rows,
        "dimensions": args.dimensions,
        "dtype": args.dtype,
        "file_mb": path.stat().st_size / 1e6,
        "write_s": written,
        "cold": args.cold,
        "threads": os.environ.get("OMP_NUM_THREADS", f"{len(os.sched_getaffinity(0))} cores"),
        "exact_ms_per_query_of_50_together": together,
        "kinds": kinds,
    }


def table(result: dict[str, Any]) -> list[str]:
    """Lay the figures out."""
    columns = {
        "query_ms": ("ms/query", "{:.2f}"), "first_ms": ("first ms", "{:.1f}"),
        "recall_at_25": ("recall@25", "{:.3f}"), "stored_recall_at_25": ("stored", "{:.3f}"),
        "cells": ("cells", "{}"), "build_s": ("build s", "{:.1f}"),
        "open_ms": ("open ms", "{:.1f}"), "build_peak_mb": ("build peak MB", "{:.0f}"),
        "search_peak_mb": ("search peak MB", "{:.0f}"), "search_own_mb": ("of it own", "{:.0f}"),
        "index_mb": ("index MB", "{:.0f}"),
    }  # fmt: skip
    lines = [["kind", *(title for title, _ in columns.values())]]
    for kind, figures in result["kinds"].items():
        cells = [
            form.format(figures[c]) if c in figures else "" for c, (_, form) in columns.items()
        ]
        lines.append([kind, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    size = f"{result['rows']:,} x {result['dimensions']} {result['dtype']}"
    return [
        f"{size}, {result['file_mb']:.0f} MB, written in {result['write_s']:.0f} s; threads: "
        f"{result['threads']}; 50 queries in one pass: "
        f"{result['exact_ms_per_query_of_50_together']:.1f} ms each; peaks are above what imports "
        "and the columns take",
        *("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines),
    ]


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=512, help="a multiple of 4")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    parser.add_argument("--kinds", nargs="+", default=["whitened", "exact", "ivf", "ivfpq"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cold", action="store_true", help="drop the file from the cache before")
    parser.add_argument("--folder", type=Path, help="for the temporary files")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--step", choices=("build", "search"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step = {"build": build, "search": search}[args.step]
        print(json.dumps(step(open_embeddings(args.file), args.kinds[0])))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        result = measure(args, Path(folder) / "embeddings.h5")
    print("\n".join(table(result)))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
