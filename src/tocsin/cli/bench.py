"""
`tocsin bench`: measure this machine, with peers and the machine's own limit in the same run.
"""

from pathlib import Path
from typing import Any, Literal

from tocsin.cli.output import Exit, UsageError, print_json, print_table
from tocsin.cli.progress import show_wait


def bench(name: Literal["journal"], /, *, directory: Path | None = None, json: bool = False) -> int:
    """
    Measure a part of Tocsin beside its peers and the machine's limit, in one interleaved run.

    `journal`: events per second at batches of 1, 10, 100 and 1000, beside SQLite (WAL, synchronous=FULL)
    and a bare write-and-fdatasync loop. Exit code 1 if a ratio is below its floor.

    Parameters
    ----------
    name
        What to measure.
    directory
        A folder on the disk to measure; the present one if not given. What is written there is removed.
    json
        Print one object with a list `results` of {metric, value, unit, peer, ratio, floor}.
    """
    from tocsin.journal.bench import run_bench_journal

    if directory is not None and not directory.is_dir():
        raise UsageError(f"--directory must be an existing folder, was {directory}")
    with show_wait("measuring, about 20 seconds"):
        results: list[dict[str, Any]] = run_bench_journal(directory=str(directory) if directory else None)
    below = [r for r in results if _is_below_floor(r)]
    if json:
        print_json({"bench": name, "results": results})
    else:
        print_table(f"bench {name}", _COLUMNS, [_format_row(r) for r in results])
        for result in below:
            ratio, floor = _ratio(result["ratio"]), _ratio(result["floor"])
            print(f"below its floor: {result['metric']}, {ratio} < {floor}")
    return Exit.FINDING if below else Exit.OK


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
    return "–" if value is None else f"{value:.2f} ×"
