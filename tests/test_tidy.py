"""
Facts about the project's own text and code that no other tool checks.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.draw_architecture import draw_architecture

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "tocsin"
THIS = Path(__file__).resolve()

EXACT = ("core", "sheet", "margin", "accounts", "procedures", "engine")
"""Packages in which all is exact: no float, clock, randomness, disk, network or hash order."""

EXACT_IMPORTS = {
    "__future__", "abc", "array", "bisect", "collections", "copy", "dataclasses", "enum", "fractions",
    "functools", "google_crc32c", "hashlib", "heapq", "itertools", "math", "msgspec", "operator", "struct",
    "tocsin", "types", "typing",
}  # fmt: skip
EXACT_MATH = {"isqrt", "gcd", "lcm", "comb", "prod"}
EXACT_BANNED_CALLS = {"float", "complex", "hash", "id", "open", "input", "print", "eval", "exec"}

STANDALONE = {
    "tocsin.__main__": "run by `python -m tocsin`",
    "tocsin.journal.simdisk": "the disk of the durability tests, which users of a host may want as well",
}
"""Modules that no other module imports, and why they exist."""

RULE = re.compile(r"\b[A-Z]{2}-\d{3}\b")
RULE_DEFINED = re.compile(r"^(?:[-*] |#+ )?(?:\*\*)?([A-Z]{2}-\d{3})\b", re.MULTILINE)


def read_project() -> Iterator[tuple[Path, str]]:
    """
    Yield every text file of the project, as git knows it, with its text.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    paths = [ROOT / name for name in names if name] or [p for p in ROOT.rglob("*") if ".venv" not in p.parts]
    for path in paths:
        if path.is_file() and path.stat().st_size < 2_000_000:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def parse_sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages or ("",):
        for path in sorted((SRC / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def at(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def find_inexact(path: Path, tree: ast.Module) -> Iterator[str]:
    """
    Yield what stands in an exact package and may not, each with its place.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield f"{at(path, node)}: a float literal"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield f"{at(path, node)}: true division; use floor_div, ceil_div or trunc_div"
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
                yield f"{at(path, node)}: a negative power is a float"
            case ast.Name(id="float" | "complex" as name):
                yield f"{at(path, node)}: the type `{name}`"
            case ast.Call(func=ast.Name(id=name)) if name in EXACT_BANNED_CALLS:
                yield f"{at(path, node)}: a call of `{name}`"
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.split(".")[0]
                    if top not in EXACT_IMPORTS or top == "math":
                        yield f"{at(path, node)}: import of `{alias.name}`"
            case ast.ImportFrom(module=module, names=names):
                top = (module or "").split(".")[0]
                bad = {a.name for a in names} - EXACT_MATH if top == "math" else set()
                if top not in EXACT_IMPORTS or bad:
                    yield f"{at(path, node)}: import from `{module}` {sorted(bad) or ''}"
            case ast.For(iter=source) | ast.comprehension(iter=source) if is_bare_set(source):
                yield f"{at(path, source)}: a loop over a set; sort it"
            case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate" | "iter"), args=[source, *_]) if is_bare_set(
                source
            ):
                yield f"{at(path, node)}: a sequence from a set; sort it"
            case _:
                pass


def is_bare_set(node: ast.expr) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
            return is_bare_set(left) or is_bare_set(right)
        case _:
            return False


@pytest.mark.parametrize("package", [p for p in EXACT if (SRC / p).is_dir()])
def test_exact_packages_are_exact(package: str) -> None:
    found = [line for path, tree in parse_sources(package) for line in find_inexact(path, tree)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "x = 1.5",
        "x = a / b",
        "a /= b",
        "x = 10 ** -3",
        "x = float(a)",
        "def f(x: float): ...",
        "x = hash(a)",
        "x = id(a)",
        "import time",
        "import os.path",
        "from random import Random",
        "import math",
        "from math import sqrt",
        "for x in {1, 2}: pass",
        "x = [i for i in set(a) | b]",
        "x = list(frozenset(a))",
    ],
)
def test_the_check_of_exact_packages_sees(line: str) -> None:
    assert list(find_inexact(SRC / "core" / "example.py", ast.parse(line)))


def test_the_check_of_exact_packages_lets_pass() -> None:
    lines = "from math import isqrt\nx = a // b\nfor i in sorted({1, 2}): pass\nn = len(set(a))"
    assert list(find_inexact(SRC / "core" / "example.py", ast.parse(lines))) == []


def test_every_rule_has_a_test_and_every_tested_rule_exists() -> None:
    chapters = sorted((ROOT / "docs" / "rulebook").glob("*.md"))
    defined = {rule for path in chapters for rule in RULE_DEFINED.findall(path.read_text(encoding="utf-8"))}
    named_in_tests = {
        rule
        for path in (ROOT / "tests").rglob("*.py")
        if path.resolve() != THIS
        for rule in RULE.findall(path.read_text(encoding="utf-8"))
    }
    named_in_source = {rule for p, _ in parse_sources() for rule in RULE.findall(p.read_text("utf-8"))}
    assert sorted(defined - named_in_tests) == [], "rules without a test that names them"
    assert sorted(named_in_tests - defined) == [], "tests that name a rule the rulebook does not have"
    assert sorted(named_in_source - defined) == [], "source that names a rule the rulebook does not have"


def test_a_rule_is_defined_once() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "docs" / "rulebook").glob("*.md")):
        for rule in RULE_DEFINED.findall(path.read_text(encoding="utf-8")):
            places.setdefault(rule, []).append(path.name)
    assert {rule: where for rule, where in places.items() if len(where) > 1} == {}


def test_every_reminder_has_a_number() -> None:
    word = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\s*\(?#\d+)")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path, text in read_project()
        if path.suffix in {".py", ".md", ".toml", ".yml", ".sh"} or path.name == "Makefile"
        for match in word.finditer(text)
    ]
    assert found == []


def test_every_source_file_is_used() -> None:
    modules = {
        ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in SRC.rglob("*.py")
    }
    imported: set[str] = set()
    for path, tree in parse_sources():
        own = ".".join(path.relative_to(SRC.parent).with_suffix("").parts)
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in modules:
                names = [node.value]  # a table of modules that are imported when asked for
            imported |= {name for name in names if name != own}
    packages = {name for name in modules if any(other.startswith(f"{name}.") for other in modules)}
    unused = modules - packages - imported - set(STANDALONE)
    assert sorted(unused) == []
    assert sorted(name for name in STANDALONE if name in imported) == [], "imported, so not standalone"


def test_no_path_of_a_machine_is_in_the_project() -> None:
    # Written in halves, so that this file does not contain what it forbids.
    machine = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/o" + "pt/", "../sha" + "red"]
    pattern = re.compile("|".join(re.escape(word) for word in machine), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path, text in read_project()
        if path.name != "LICENSE"
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_every_link_in_the_docs_leads_somewhere() -> None:
    link = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path, text in read_project()
        if path.suffix == ".md"
        for target in link.findall(text)
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert broken == []


def test_public_names_are_documented() -> None:
    import tocsin

    names: list[str] = list(getattr(tocsin, "__all__", []))
    assert len(names) <= 40
    pages = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs" / "reference").glob("*.md")))
    assert [name for name in names if f"`{name}`" not in pages and f"`tc.{name}" not in pages] == []


def test_layers_of_the_picture_are_those_that_are_checked() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in config["tool"]["importlinter"]["contracts"] if c["id"] == "layers"]
    rows = [name.strip("() ") for row in contract["layers"] for name in row.split("|")]
    picture = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    drawn = re.findall(r">(\w+)/<", picture)
    # The picture reads from the core outward; it may leave out rows that are still empty.
    assert drawn == [row for row in reversed(rows) if row in drawn]
    present = {p.name for p in SRC.iterdir() if (p / "__init__.py").exists()}
    assert present - set(drawn) == set()


def test_the_architecture_picture_is_current() -> None:
    assert (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8") == draw_architecture()
