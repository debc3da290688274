"""
`tocsin bench rules`: every kind of row that members cause is measured, and each does what it says.
"""

import json

from tests.cli.test_frame import run
from tocsin.accounts.store import RowKind, Rows
from tocsin.lab.rules_bench import _kinds, build_store, run_bench_rules
from tocsin.margin.state import Mode


def test_every_metric_is_measured_in_one_run():
    results = run_bench_rules(accounts=5, rounds=1)
    names = [r["metric"] for r in results]
    assert names == [n for n in _kinds(5) if n != "call"]
    for result in results:
        assert set(result) == {"metric", "value", "unit", "peer", "ratio", "floor"}
        assert result["value"] > 0 and result["floor"] is None


def test_no_row_of_the_benchmark_is_refused():
    """A row that is refused does less work than one that is not."""
    for mode in (Mode.CROSS, Mode.PORTFOLIO):
        store = build_store(8, mode)
        rows = Rows()
        for account in range(1, 9):
            contract = account % 8
            rows.add(RowKind.TRADE, account, contract, 1, 100_000_000)
            rows.add(RowKind.TRADE, account, contract, -1, -100_000_000)
            rows.add(RowKind.HOLD, account, contract, 5, 5)
            rows.add(RowKind.CHECK, account, contract, 3)
            rows.add(RowKind.WITHDRAW, account, 1, 1)
            rows.add(RowKind.DEBIT, account, 1, 1)
            rows.add(RowKind.MODE, account, 0, Mode.PORTFOLIO)
        assert not any(store.apply(rows).reason)


def test_the_command_prints_one_object():
    shown = run("bench", "rules", "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["bench"] == "rules"
    assert {"sweep of levels, cross", "trade", "check"} <= {r["metric"] for r in found["results"]}
