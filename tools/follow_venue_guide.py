"""
Follow docs/how-to/add-a-venue.md in a copy of the package, and write what its commands print into the page:
`python tools/follow_venue_guide.py`
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "add-a-venue.md"
FILE = re.compile(r"^\*\*`([^`]+)`\*\*(, a line in `MODULES`)?\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^```console\n\$ (tocsin [^\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)
TABLE = "MODULES: dict[str, str] = {\n"


def build(text: str, folder: Path) -> None:
    """
    Copy the package into a folder and write the page's files over it.
    """
    shutil.copytree(ROOT / "src" / "tocsin", folder / "src" / "tocsin", ignore=shutil.ignore_patterns("__pycache__"))
    for name, is_line, content in FILE.findall(text):
        path = folder / name
        if is_line:
            old = path.read_text(encoding="utf-8")
            assert old.count(TABLE) == 1, name
            path.write_text(old.replace(TABLE, TABLE + content), encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def render_page(text: str, folder: Path) -> str:
    """
    Return the page with what its commands print in the folder.
    """

    def block(match: re.Match[str]) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", *shlex.split(match[1])],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), (match[1], ran.returncode, ran.stdout, ran.stderr)
        return f"```console\n$ {match[1]}\n{ran.stdout}```"

    return COMMAND.sub(block, text)


def update() -> None:
    """
    Write the page.
    """
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        build(text, Path(folder))
        PAGE.write_text(render_page(text, Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    update()
