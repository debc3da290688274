"""
Write what the default demo prints today into its page, pictures included. `python tools/update_october_page.py`

Figures in the sentences around them are not touched: read them again afterwards. About half a minute.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "october-2025.md"


def read_blocks(shown: str) -> list[str]:
    """
    Return the two blocks of the page as the demo prints them: the result, and what is not better.
    """
    result = shown.index("the same accounts under")
    worse = shown.index("Not better under")
    scale = shown.index("For scale")
    return [shown[result:worse].rstrip() + "\n", shown[worse:scale].rstrip() + "\n"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "tocsin", "demo", "--exit")
        shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        for name in ("price", "payers"):
            shutil.copy(Path(folder) / "october.report" / f"{name}.svg", ROOT / "docs" / "img" / f"october-{name}.svg")
    blocks = iter(read_blocks(shown))
    page = PAGE.read_text(encoding="utf-8")
    page = re.sub(r"^```text\n.*?^```", lambda _: f"```text\n{next(blocks)}```", page, flags=re.MULTILINE | re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
