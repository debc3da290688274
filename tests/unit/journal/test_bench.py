"""
The benchmark's form; its figures are nobody's test.
"""

from pathlib import Path

from tocsin.journal.bench import BATCHES, run_bench_journal


def test_rows_have_the_stated_form_and_nothing_is_left(tmp_path: Path) -> None:
    """One row per batch size and peer, with ratio and floor, and the directory as it was."""
    results = run_bench_journal(directory=str(tmp_path), rounds=1, seconds_max=0.0)
    assert all(list(row) == ["metric", "value", "unit", "peer", "ratio", "floor"] for row in results)
    assert [row["metric"] for row in results[::2]] == [f"journal, batch {batch}" for batch in BATCHES]
    assert {str(row["peer"]) for row in results} == {"SQLite WAL synchronous=FULL", "bare fdatasync loop"}
    assert [row["floor"] for row in results] == [None] * 6 + [2.0, None]
    assert list(tmp_path.iterdir()) == []
