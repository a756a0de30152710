"""Routes: what is on the shelf and nothing else, to this site and to no other."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.routes import ROUTES, SHELF, Shelf, View


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


def view(count: int = 3) -> View:
    return View("test", lambda row: b"\xff\xd8picture%d" % row, lambda row: [f"<b>{row}"], count)


def test_bytes_are_served_under_an_address_of_their_content(client: TestClient) -> None:
    """The same content, the same address; the browser may keep it and must not guess its type."""
    address = SHELF.put(b"points")
    assert address == SHELF.put(b"points") != SHELF.put(b"other")
    answer = client.get(address)
    assert answer.content == b"points"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_objects_have_a_picture_and_lines(client: TestClient) -> None:
    """By row; text stays text; rows that are not there are not found."""
    address = SHELF.show(view())
    assert client.get(f"{address}1.jpg").content == b"\xff\xd8picture1"
    assert client.get(f"{address}1.jpg").headers["content-type"] == "image/jpeg"
    answer = client.get(f"{address}2.json")
    assert answer.json() == ["<b>2"]
    assert answer.headers["content-type"] == "application/json"
    assert client.get(f"{address}3.jpg").status_code == 404
    assert client.get(f"{address}1.exe").status_code == 404


@pytest.mark.parametrize(
    "path", ["/sky/bytes/../../etc/passwd", "/sky/bytes/abc", "/sky/object/abc/0.jpg",
             "/sky/object/%2e%2e%2fetc/0.jpg", "/sky/bytes/%2fetc%2fpasswd"],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """No path of the machine leads anywhere."""
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"},
                {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    """By what the browser says of where a request comes from."""
    address = SHELF.put(b"secret")
    assert client.get(address, headers=headers).status_code == 403
    assert client.get(address, headers={"origin": "http://testserver"}).status_code == 200


def test_only_allowed_names_of_this_server_are_answered_to(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that somebody else pointed at this machine is refused where names are listed."""
    from streamlit import config

    address = SHELF.put(b"secret")
    monkeypatch.setattr(config, "get_option", lambda name: ["testserver"])
    assert client.get(address).status_code == 200
    assert client.get(address, headers={"host": "evil.example"}).status_code == 403


def test_the_shelf_lets_go_of_the_oldest() -> None:
    """By bytes, and by number of views; what is used stays."""
    shelf = Shelf(most_bytes=10, most_views=2)
    first = shelf.put(b"123456")
    shelf.put(b"abc")
    shelf.put(b"123456")
    second = shelf.put(b"xyz")
    assert shelf.content(first.rsplit("/", 1)[1]) == b"123456"
    assert shelf.content(second.rsplit("/", 1)[1]) == b"xyz"
    assert len(shelf._bytes) == 2
    names = [shelf.show(View(key, lambda _: b"", lambda _: [], 1)) for key in "abc"]
    assert shelf.view(names[0].split("/")[-2]) is None
    assert shelf.view(names[2].split("/")[-2]) is not None


def test_large_content_is_made_once() -> None:
    """By what names it, in place of by its bytes; a key is no content."""
    shelf, calls = Shelf(), []

    def make() -> bytes:
        calls.append(1)
        return b"points"

    address = shelf.put_as("map of today", make)
    assert shelf.put_as("map of today", make) == address
    assert len(calls) == 1
    assert shelf.content(address.rsplit("/", 1)[1]) == b"points"
    assert shelf.put(b"map of today") != address
