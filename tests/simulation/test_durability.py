"""
Durability on the simulated disk: 10,000 seeds, and a proof that each sync is needed.
"""

import ast
import sys
from pathlib import Path

import pytest

import tocsin.journal
from tests.helpers.durability import check_seed
from tocsin.core.errors import JournalError
from tocsin.journal.simdisk import SimDisk, SimFile

CHUNKS = 20
SEEDS_PER_CHUNK = 500
SEEDS_PER_SITE = 3000

PACKAGE = Path(tocsin.journal.__file__).parent
NEEDED = ("sync_data", "sync_directory", "forget_cache")


def find_sites() -> list[tuple[str, int, str]]:
    """
    Return file, line and name of every call of the journal that makes something durable.

    Left out: the benchmark, and the classes of disk.py, which are the real disk itself (tested in
    tests/unit/journal/test_disk.py).
    """
    parts = [
        (path.name, part)
        for path in sorted(PACKAGE.glob("*.py"))
        for part in ast.parse(path.read_text()).body
        if path.name != "bench.py" and not (path.name == "disk.py" and isinstance(part, ast.ClassDef))
    ]
    return [
        (name, node.lineno, node.func.attr)
        for name, part in parts
        for node in ast.walk(part)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NEEDED
    ]


SITES = find_sites()


def run_seed(seed: int) -> str:
    """
    Return what is wrong with a seed, or nothing.
    """
    try:
        check_seed(seed)
    except (AssertionError, JournalError) as error:
        return f"seed {seed}: {type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_acknowledged_record_is_lost(chunk: int) -> None:
    """JN-013, JN-014, JN-015, JN-017: acknowledged kept, batches whole, order kept, still appendable."""
    first = chunk * SEEDS_PER_CHUNK
    assert [text for seed in range(first, first + SEEDS_PER_CHUNK) if (text := run_seed(seed))] == []


def test_call_sites_are_found() -> None:
    """JN-019: the list below is not empty by mistake."""
    assert {name for name, _, _ in SITES} == {"disk.py", "log.py"}
    assert len(SITES) == 7


@pytest.mark.parametrize("site", SITES, ids=lambda site: f"{site[0]}:{site[2]}:{SITES.index(site)}")
def test_every_sync_is_needed(site: tuple[str, int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-019: with any one of these calls left out, some seed loses what was acknowledged."""
    file_name, line, call = site
    skipped = 0
    owner = SimDisk if call == "sync_directory" else SimFile
    original = getattr(owner, call)

    def call_unless_here(self: object) -> None:
        nonlocal skipped
        frame = sys._getframe(1)
        if frame.f_lineno == line and Path(frame.f_code.co_filename).name == file_name:
            skipped += 1
        else:
            original(self)

    monkeypatch.setattr(owner, call, call_unless_here)
    failed = next((text for seed in range(SEEDS_PER_SITE) if (text := run_seed(seed))), "")
    assert skipped > 0
    assert failed, f"{file_name}:{line} {call} can be left out and no seed notices"


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(40))
def test_many_more_seeds(chunk: int) -> None:
    """JN-013, JN-014, JN-015, JN-017: the same over 400,000 further seeds."""
    first = 1_000_000 + chunk * 10_000
    assert [text for seed in range(first, first + 10_000) if (text := run_seed(seed))] == []
