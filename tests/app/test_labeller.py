"""The name by which somebody labels, as the browser remembers it."""

from types import SimpleNamespace

import pytest

from app.components import who_view


@pytest.mark.parametrize(
    ("cookie", "name"),
    [
        ("Eve%20of%20Lund", "Eve of Lund"),
        ("%C3%85sa", "Åsa"),
        ("", ""),
        ("%20", ""),
        ("a%00b", ""),  # what the ledger would refuse is no name
        ("x" * 300, ""),
    ],
)
def test_a_name_comes_back_from_its_cookie(
    monkeypatch: pytest.MonkeyPatch, cookie: str, name: str
) -> None:
    """Any script; text that cannot be kept counts as none."""
    cookies = {who_view.COOKIE: cookie}
    monkeypatch.setattr(who_view, "st", SimpleNamespace(context=SimpleNamespace(cookies=cookies)))
    assert who_view.remembered() == name
