"""
The public door: few names, loaded late, all on the reference page; README's example runs as printed.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tocsin as tc

ROOT = Path(__file__).parents[1]


def test_names_are_few_and_all_there() -> None:
    assert len(tc.__all__) == len(set(tc.__all__)) <= 40
    assert all(getattr(tc, name) is not None for name in tc.__all__)
    assert sorted(dir(tc)) == sorted([*tc.__all__, "__version__"])
    with pytest.raises(AttributeError, match="module 'tocsin' has no attribute 'nonsense'"):
        tc.nonsense  # noqa: B018


def test_each_name_is_on_the_reference_page_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(tc.__all__)


def test_importing_loads_nothing_else() -> None:
    code = "import sys, tocsin; print([m for m in sys.modules if m.startswith('tocsin.') or m == 'msgspec'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout == "[]\n", shown.stderr


def read_examples() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readme_has_one_example_of_about_ten_lines() -> None:
    (example,) = read_examples()
    assert 8 <= len([line for line in example.splitlines() if line.strip()]) <= 14


def test_the_readme_example_prints_what_it_says() -> None:
    (example,) = read_examples()
    said = re.findall(r"^print\(.*\)  # ([^,:]+)", example, re.MULTILINE)
    shown = subprocess.run([sys.executable, "-"], input=example, capture_output=True, text=True)
    assert (shown.stdout.splitlines(), shown.stderr) == (said, "")
    assert len(said) == 3
