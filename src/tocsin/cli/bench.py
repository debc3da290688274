"""
`tocsin bench`: measure this machine, with peers and the machine's own limit in the same run.
"""

from pathlib import Path
from typing import Any, Literal

from tocsin.cli.output import Exit, UsageError, print_json, print_table
from tocsin.cli.progress import show_wait


def bench(name: Literal["journal", "margin", "rules"], /, *, directory: Path | None = None, json: bool = False) -> int:
    """
    Measure a part of Tocsin beside its peers and the machine's limit, in one interleaved run.

    `journal`: events per second at batches of 1, 10, 100 and 1000, beside SQLite (WAL, synchronous=FULL)
    and a bare write-and-fdatasync loop. `margin`: accounts per second of one captured payload a venue, recomputed and
    explained, beside ccxt's parsing of it. `rules`: rows per second by kind through the plain store (no floors). Exit
    code 1 if a ratio is below its floor.

    Parameters
    ----------
    name
        What to measure.
    directory
        `journal`: a folder on the disk to measure; the present one if not given. What is written there is removed.
    json
        Print one object with a list `results` of {metric, value, unit, peer, ratio, floor}.
    """
    results: list[dict[str, Any]]
    match name:
        case "margin":
            results = _measure_margin()
        case "rules":
            results = _measure_rules()
        case "journal":
            results = _measure_journal(directory)
    below = [r for r in results if _is_below_floor(r)]
    if json:
        print_json({"bench": name, "results": results})
    else:
        print_table(f"bench {name}", _COLUMNS, [_format_row(r) for r in results])
        if name == "margin" and all(r["peer"] is None for r in results):
            print("ccxt is not installed: own figures alone; pip install 'tocsin[bench]' adds the comparison")
        for result in below:
            ratio, floor = _ratio(result["ratio"]), _ratio(result["floor"])
            print(f"below its floor: {result['metric']}, {ratio} < {floor}")
    return Exit.FINDING if below else Exit.OK


def _measure_journal(directory: Path | None) -> list[dict[str, Any]]:
    from tocsin.journal.bench import run_bench_journal

    if directory is not None and not directory.is_dir():
        raise UsageError(f"--directory must be an existing folder, was {directory}")
    with show_wait("measuring, about 20 seconds"):
        return run_bench_journal(directory=str(directory) if directory else None)


def _measure_margin() -> list[dict[str, Any]]:
    from tocsin.desk.bench import run_bench_margin

    with show_wait("measuring, about 15 seconds"):
        return run_bench_margin()


def _measure_rules() -> list[dict[str, Any]]:
    from tocsin.lab.rules_bench import run_bench_rules

    with show_wait("measuring, about 10 seconds"):
        return run_bench_rules()


_COLUMNS = (
    ("metric", "left"),
    ("value", "right"),
    ("unit", "left"),
    ("beside", "left"),
    ("ratio", "right"),
    ("floor", "right"),
)


def _is_below_floor(result: dict[str, Any]) -> bool:
    ratio, floor = result.get("ratio"), result.get("floor")
    return ratio is not None and floor is not None and ratio < floor


def _format_row(result: dict[str, Any]) -> list[str]:
    value = result["value"]
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
    peer = result.get("peer") or "–"
    ratio, floor = _ratio(result.get("ratio")), _ratio(result.get("floor"))
    return [result["metric"], shown, result["unit"], str(peer), ratio, floor]


def _ratio(value: Any) -> str:
    return "–" if value is None else f"{value:.2f} ×" if value >= 0.01 else f"{value:.1e} ×"
