"""
The pages that show `tocsin compare`: each output and picture is what the command gives today.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.cli import main
from tools.update_compare_docs import PAGES, PICTURES, draw_pictures, render_page

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "compare-venues.md"
MENDED = "run `python tools/update_compare_docs.py`, then read the sentences around the figures"


@pytest.mark.parametrize("name", PAGES)
def test_outputs_are_what_is_printed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / name).read_text(encoding="utf-8")
    assert render_page(page) == page, MENDED
    assert page.count("$ tocsin compare ") >= 1


def test_pictures_are_what_is_drawn(tmp_path: Path) -> None:
    for name, drawn in draw_pictures(tmp_path):
        assert (ROOT / "docs" / "img" / name).read_text(encoding="utf-8") == drawn, MENDED
    assert {path.name for path in tmp_path.iterdir()} == set(PICTURES)


def test_the_guide_names_figures_that_the_command_gives(capsys: pytest.CaptureFixture[str]) -> None:
    page = GUIDE.read_text(encoding="utf-8")
    for size, rules in (("1M", "binance-usdm"), ("50M", "binance-usdm,bybit")):
        assert main(["compare", "BTC", "long", size, "--price", "100000", "--rules", rules]) == 0
        rows = re.findall(r"^ *\d  \S+ .* % +[\d,]+ +([\d,.]+) +−", capsys.readouterr().out, re.MULTILINE)
        assert len(rows) == len(rules.split(","))
        assert all(price in page for price in rows), rows


def test_the_python_example_is_the_script_and_runs() -> None:
    (shown,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    script = ROOT / "examples" / "compare_venues.py"
    assert script.read_text(encoding="utf-8").endswith("\n" + shown)
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["dydx", "hyperliquid", "binance-usdm", "at", "at"]


def test_the_example_of_an_account_runs() -> None:
    script = ROOT / "examples" / "venue_account.py"
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.findall(r"^([\w-]+): equity 16,000", ran.stdout, re.MULTILINE) == [
        "binance-usdm", "bybit", "hyperliquid", "derive-sm",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["strangle", "call_spread", "covered_call", "hedged_pair"])
def test_the_files_are_answered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["compare", str(ROOT / "examples" / "compare" / f"{name}.json"), "--rules", "deribit-sm,derive-sm"]) == 0
    )
    assert "Cannot say" not in capsys.readouterr().out


def test_the_guide_shows_the_file() -> None:
    page = GUIDE.read_text(encoding="utf-8")
    assert (ROOT / "examples" / "compare" / "strangle.json").read_text(encoding="utf-8") in page
