"""What the browser fetches beside the page: points of a map, and pictures of objects.

Pages put something on the shelf and get an address that cannot be guessed; routes serve what is on
the shelf and nothing else, so no path and no file name ever comes from outside. Requests that
another site makes are refused.
"""

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_SECRET = secrets.token_bytes(32)  # of this process: addresses of another are not known here
_MOST_BYTES = 400_000_000
_MOST_VIEWS = 64
_FOREVER = "private, max-age=31536000, immutable"  # an address never changes its content


@dataclass(frozen=True)
class View:
    """How objects are shown: pictures and a few lines, by row."""

    key: str  # what is shown and how; views of one key are one
    picture: Callable[[int], bytes]  # row -> JPEG
    lines: Callable[[int], list[str]]  # row -> text
    count: int  # rows


class Shelf:
    """Content by address, the oldest going when there is too much; safe for many threads."""

    def __init__(self, most_bytes: int = _MOST_BYTES, most_views: int = _MOST_VIEWS) -> None:
        self._bytes: OrderedDict[str, bytes] = OrderedDict()
        self._views: OrderedDict[str, View] = OrderedDict()
        self._pictures: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held = 0
        self._most_bytes, self._most_views = most_bytes, most_views
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """Keep bytes; the same content has the same address."""
        return self._keep(_name(b"content" + content), lambda: content)

    def put_as(self, key: str, make: Callable[[], bytes]) -> str:
        """Keep the bytes that `key` names, made where they are not there; no two may share a key.

        For large content: it is neither made nor hashed again.
        """
        return self._keep(_name(b"key" + key.encode()), make)

    def _keep(self, name: str, make: Callable[[], bytes]) -> str:
        with self._lock:
            known = name in self._bytes
        content = b"" if known else make()
        with self._lock:
            if name not in self._bytes:
                self._bytes[name] = content
                self._held += len(content)
            self._bytes.move_to_end(name)
            while self._held > self._most_bytes and len(self._bytes) > 1:
                self._held -= len(self._bytes.popitem(last=False)[1])
        return f"/sky/bytes/{name}"

    def show(self, view: View) -> str:
        """Keep a view; give the address that rows are appended to."""
        name = _name(view.key.encode())
        with self._lock:
            self._views[name] = view
            self._views.move_to_end(name)
            while len(self._views) > self._most_views:
                self._views.popitem(last=False)
        return f"/sky/object/{name}/"

    def content(self, name: str) -> bytes | None:
        """Give what `put` kept."""
        with self._lock:
            return self._bytes.get(name)

    def view(self, name: str) -> View | None:
        """Give what `show` kept."""
        with self._lock:
            return self._views.get(name)

    def picture(self, name: str, view: View, row: int) -> bytes:
        """Give a picture, made once."""
        with self._lock:
            known = self._pictures.get((name, row))
        if known is not None:
            return known
        made = view.picture(row)
        with self._lock:
            self._pictures[name, row] = made
            while len(self._pictures) > 20_000:
                self._pictures.popitem(last=False)
        return made


SHELF = Shelf()


def _name(content: bytes) -> str:
    return hashlib.blake2b(content, key=_SECRET, digest_size=18).hexdigest()


def _is_foreign(request: Request) -> bool:
    """Say whether another site makes this request, or one under a name that is not allowed.

    The names allowed are those of Streamlit's own option `server.allowedHosts`; all without it.
    """
    from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

    if not is_host_allowed(request.headers.get("host")):
        return True
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    return site not in ("same-origin", "none") or (
        origin is not None and origin.split("://")[-1] != host
    )


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def guarded(request: Request) -> Response:
        if _is_foreign(request):
            return PlainTextResponse("requests from other sites are refused", 403)
        response = answer(request)
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["cross-origin-resource-policy"] = "same-origin"
        return response

    return guarded


def _bytes(request: Request) -> Response:
    content = SHELF.content(request.path_params["name"])
    if content is None:
        return PlainTextResponse("gone: reload the page", 404)
    return Response(
        content, media_type="application/octet-stream", headers={"cache-control": _FOREVER}
    )


def _object(request: Request) -> Response:
    parameters: dict[str, Any] = request.path_params
    view, row = SHELF.view(parameters["name"]), parameters["row"]
    if view is None or row >= view.count:
        return PlainTextResponse("gone: reload the page", 404)
    headers = {"cache-control": _FOREVER}
    if parameters["kind"] == "jpg":
        picture = SHELF.picture(parameters["name"], view, row)
        return Response(picture, media_type="image/jpeg", headers=headers)
    if parameters["kind"] == "json":
        return JSONResponse(view.lines(row), headers={"cache-control": "no-store"})
    return PlainTextResponse("no such thing", 404)


ROUTES = [
    Route("/sky/bytes/{name:str}", _guarded(_bytes), methods=["GET"]),
    Route("/sky/object/{name:str}/{row:int}.{kind:str}", _guarded(_object), methods=["GET"]),
]
