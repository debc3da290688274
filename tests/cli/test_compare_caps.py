"""
`tocsin compare --jurisdiction`: caps beside the ranking, and nothing of them without it.
"""

import pytest

from tocsin.cli import main


@pytest.mark.parametrize(
    ("arguments", "shown", "absent"),
    [
        (["--jurisdiction", "eu"], "every venue, EU, retail, cfd: at most 2x since 2018-08-01", "No leverage cap"),
        (["--jurisdiction", "UK"], "not to be sold since 2021-01-06", "No leverage cap"),
        (["--jurisdiction", "SG"], "No leverage cap is known for SG: that is no permission.", "retail"),
        ([], "dydx", "everage cap"),
    ],
)
def test_caps(arguments: list[str], shown: str, absent: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "BTC", "long", "1M", "--price", "100000", "--rules", "dydx", *arguments]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert absent not in out
