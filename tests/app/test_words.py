"""Text of files made safe, and numbers in words."""

import pytest

from app.words import percent, plain


@pytest.mark.parametrize(
    ("p", "words"),
    [(float("nan"), ""), (0.0, "0%"), (3e-8, "<0.0001%"), (3.4e-5, "0.003%"), (0.0042, "0.4%"),
     (0.624, "62%"), (0.9987, "99.9%")],
)  # fmt: skip
def test_probabilities_have_sensible_digits(p: float, words: str) -> None:
    """Without powers of ten."""
    assert percent(p) == words


def test_text_of_files_stays_text() -> None:
    """Nothing of it is Markdown or HTML any more."""
    assert plain("<b>*x*</b> $y$") == r"\<b\>\*x\*\</b\> \$y\$"
