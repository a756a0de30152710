"""What the server must not give, and files that are not what they say."""

import http.client
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sky_ssl.workspace import Workspace

PATHS = ["/sky/bytes/../../../../etc/passwd", "/sky/bytes/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
         "/sky/bytes/..%2f..%2flabels.db", "/sky/object/%2e%2e/0.jpg", "/sky/object/x/0.jpg",
         "/sky/object/../../labels.db", "/%2e%2e/%2e%2e/etc/passwd", "/app/static/../main.py",
         "/media/%2e%2e/%2e%2e/labels.db", "/static/%2e%2e/%2e%2e/main.py",
         "/component/%2e%2e/%2e%2e/etc/passwd"]  # fmt: skip


def ask(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """Ask for a path exactly as it is written; browsers would tidy it first."""
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    answer = connection.getresponse()
    status, content = answer.status, answer.read()
    connection.close()
    return status, content


def test_no_path_leads_out_of_what_is_shown(serve: Callable, survey: Workspace) -> None:
    """Neither to the machine nor to files of the workspace, however it is written."""
    port = serve(survey.root).port
    for path in PATHS:
        status, content = ask(port, path)
        assert b"root:" not in content, path
        assert b"SQLite" not in content, path
        assert b"st.navigation" not in content, path
        assert status >= 400 or b"<!doctype html>" in content.lower()[:200], path


def test_only_pages_of_this_server_get_points_and_pictures(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace
) -> None:
    """What the map fetches is refused to other sites, and under names that are not ours."""
    server = serve(survey.root, "--server.allowedHosts", "localhost")
    page = visit("about:blank")
    with page.expect_request(re.compile("/sky/bytes/")) as request:
        page.goto(f"{server.address}/map")
    hand(page).map()
    path = request.value.url.removeprefix(server.address)
    assert ask(server.port, path)[0] == 200
    assert ask(server.port, path, Origin=server.address)[0] == 200
    assert ask(server.port, path, Origin="http://evil.example")[0] == 403
    assert ask(server.port, path, Sec_Fetch_Site="cross-site")[0] == 403
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert ask(server.port, path, **evil)[0] == 403
    assert ask(server.port, path, Host="evil.example")[0] == 403


def one_sentence(page: Page, file: str) -> None:
    """Expect an error in one sentence that names the file."""
    error = page.get_by_role("alert").filter(has_text=file)
    expect(error).to_be_visible()
    said = error.inner_text().removeprefix("error").strip()
    assert "\n" not in said
    assert len(said) < 250
    assert "Traceback" not in said
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, Path]:
    """Files that are not what their names say, or end too soon."""
    contents = {
        "cut.fits": b"SIMPLE  =                    T" + b" " * 50,
        "text.fits": b"not a FITS file\n",
        "empty.png": b"",
        "cut.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x10\x00\x00\x00\x10\x00",
        "cut.csv": b'id,ra,dec\n"a,1,2\n',
        "binary.csv": bytes(range(256)),
        "columns.csv": b"name,colour\na,red\n",
        "table.fits": b"SIMPLE  =                    T",
        "table.vot": b"<VOTABLE><RESOURCE>",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def test_a_broken_image_gets_one_sentence(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace, broken: dict[str, Path]
) -> None:
    """On the page Search, which goes on working."""
    page = visit(f"{serve(survey.root).address}/search")
    hand(page).rest()
    page.get_by_role("button", name="By an image").click()
    upload = page.locator('input[type="file"]')
    for name in ("cut.fits", "text.fits", "empty.png", "cut.png"):
        upload.set_input_files(broken[name])
        one_sentence(page, name)


def test_a_broken_catalogue_gets_one_sentence(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace, broken: dict[str, Path]
) -> None:
    """On the page Candidates, with a list by a search."""
    page = visit(f"{serve(survey.root).address}/search")
    me = hand(page)
    me.rest()
    field = page.get_by_label("Add an object by id, or the nearest to a position")
    field.fill("MOCK-0-000007")
    field.press("Enter")
    expect(me.cards).to_have_count(25)
    me.turn_to("Candidates")
    page.get_by_role("tab", name="Known objects").click()
    upload = page.locator('input[type="file"]')
    for name in ("cut.csv", "binary.csv", "columns.csv", "table.fits", "table.vot"):
        upload.set_input_files(broken[name])
        one_sentence(page, name)
