"""
`tocsin bench margin`: what it prints, with a peer and without one.
"""

import sys

import pytest

from tocsin.desk import bench


def test_every_payload_is_read_and_recomputed_as_its_venue_reports() -> None:
    samples = bench.load_samples()
    assert len({sample.venue for sample in samples}) == len(samples) >= 8
    for sample in samples:
        rows = bench._check(sample)()
        assert isinstance(rows, list)
        assert rows


def test_without_a_peer_there_are_no_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    results = bench.run_bench_margin(rounds=1, seconds_max=0.0)
    assert len(results) == 2 * len(bench.load_samples())
    for row in results:
        assert set(row) == {"metric", "value", "unit", "peer", "ratio", "floor"}
        assert row["peer"] is row["ratio"] is row["floor"] is None
        assert isinstance(row["value"], int)
        assert row["value"] > 0
