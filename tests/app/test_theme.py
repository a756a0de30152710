"""The theme that pages open with."""

import gzip

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.theme import SCRIPT, DarkAtFirst

PAGE = "<!doctype html><html><head><title>x</title></head><body>" + "y" * 5000 + "</body></html>"


def client() -> TestClient:
    """A site whose pages are compressed, as Streamlit's are."""

    def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    def data(request: Request) -> Response:
        return PlainTextResponse("<head>" + "z" * 5000)

    app = Starlette(
        routes=[Route("/", page), Route("/data", data)],
        middleware=[Middleware(DarkAtFirst), Middleware(GZipMiddleware, minimum_size=100)],
    )
    return TestClient(app)


def test_a_page_gets_the_script_before_all_else() -> None:
    """At the beginning of its head, and its length is right."""
    answer = client().get("/", headers={"accept": "text/html", "accept-encoding": "gzip"})
    assert answer.text == PAGE.replace("<head>", "<head>" + SCRIPT.decode())
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_all_else_passes_through() -> None:
    """Data that a browser fetches stay compressed and as they are."""
    with client().stream("GET", "/data", headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())).startswith(b"<head>zz")
    answer = client().get("/data", headers={"accept": "text/html"})
    assert answer.text.startswith("<head>zz")
