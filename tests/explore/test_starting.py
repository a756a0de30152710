"""Commands that pages offer: the names of what they write."""

import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.starting import check_name, free_name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("deep", "deep"), ("my survey-tsne", "my-survey-tsne"), ("<b>.x", "b-.x"), ("--", "new"),
     ("x" * 500, None)],
)  # fmt: skip
def test_a_name_that_is_offered_is_allowed(wanted: str, name: str | None) -> None:
    """Files that came from elsewhere may have any name; what is made of them may not."""
    offered = free_name((), wanted)
    assert check_name(offered) == offered
    assert name is None or offered == name


def test_a_name_that_is_taken_gets_a_number() -> None:
    """The first that is free; a path is no name."""
    assert free_name(["deep", "deep-2"], "deep") == "deep-3"
    with pytest.raises(InputError, match="letters, digits"):
        check_name("../deep")
