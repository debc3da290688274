"""
Write what `tocsin compare` prints today into the pages that show it: `python tools/update_compare_docs.py`

The pictures are drawn anew as well.

Figures in the sentences around them are not touched: read them again afterwards.
"""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tocsin.cli import main

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/how-to/compare-venues.md")
PICTURED = "BTC long 50M --price 100000 --rules binance-usdm,bybit,okx-cross,deribit-sm,hyperliquid,dydx,derive-sm"
PICTURES = {"compare-btc.svg": (), "compare-btc-phone.svg": ("--phone",)}
BLOCK = re.compile(r"^```console\n(\$ tocsin compare [^\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)


def run(words: list[str]) -> str:
    """
    Return what a command of Tocsin prints; its exit code must be 0.
    """
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = main(words)
    assert code == 0, (words, code)
    return shown.getvalue()


def render_page(text: str) -> str:
    """
    Return a page with the output of every `tocsin compare` in it as it is today; run in the project's root.
    """

    def block(match: re.Match[str]) -> str:
        command = shlex.split(match[1].removeprefix("$ tocsin "))
        return f"```console\n{match[1]}\n{run(command)}```"

    return BLOCK.sub(block, text)


def draw_pictures(folder: Path) -> Iterator[tuple[str, str]]:
    """
    Yield the name and text of each picture, drawn in a folder.
    """
    for name, options in PICTURES.items():
        run(["compare", *shlex.split(PICTURED), "--svg", str(folder / name), *options])
        yield name, (folder / name).read_text(encoding="utf-8")


def update() -> None:
    """
    Write pages and pictures.
    """
    os.chdir(ROOT)
    for name in PAGES:
        page = ROOT / name
        page.write_text(render_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    for _ in draw_pictures(ROOT / "docs" / "img"):
        pass


if __name__ == "__main__":
    update()
