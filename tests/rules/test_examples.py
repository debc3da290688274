"""
The worked examples of the rulebook: every fenced block with `>>>` runs, in the order of its chapter.
"""

import doctest
import re
from pathlib import Path

import pytest

RULEBOOK = Path(__file__).parents[2] / "docs" / "rulebook"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_examples(path: Path) -> str:
    """Return the chapter's blocks with line numbers kept, all else blank."""
    text = path.read_text(encoding="utf-8")
    lines = [""] * (text.count("\n") + 1)
    for match in BLOCK.finditer(text):
        first = text.count("\n", 0, match.start(1))
        for k, line in enumerate(match.group(1).splitlines()):
            lines[first + k] = line
    return "\n".join(lines)


@pytest.mark.parametrize("path", sorted(RULEBOOK.glob("*.md")), ids=lambda p: p.stem)
def test_examples_of_the_chapter_run(path: Path) -> None:
    test = doctest.DocTestParser().get_doctest(read_examples(path), {}, path.stem, str(path), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert result.failed == 0, "".join(said)
