"""
`tocsin conform`: run vector files against Tocsin, or against any program that speaks JSON lines.
"""

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tocsin.cli.output import Exit, UsageError, print_error, print_json

if TYPE_CHECKING:
    from tocsin.conform import Case, Outcome, Report


def conform(
    *files: Path,
    engine: Annotated[str | None, Parameter(name="--engine")] = None,
    door: Literal["core", "venue", "risk"] | None = None,
    list_only: Annotated[bool, Parameter(name="--list")] = False,
    timeout: float = 10.0,
    json: bool = False,
) -> int:
    """
    Run the worked cases of other engines and compare the results, exactly where they are exact.

    Prints each failing case with inputs, expected and actual; what was skipped, by name; and a closing line
    `N passed, N failed, N skipped`. Exit code 1 if a case failed or none passed, 3 if a file is malformed.

    Parameters
    ----------
    files
        Vector files, JSON.
    engine
        A command that answers JSON lines, asked instead of Tocsin.
    door
        Use one door only: `core` is Tocsin's own rules, `venue` another engine's rule as a formula, `risk` a model of
        margin or of its tests in floating point.
    list_only
        Name the door of each case and run nothing.
    timeout
        Longest wait for one reply of `--engine`, in seconds.
    json
        Print one object with the outcome of every case.
    """
    from tocsin.conform import ask_engine, list_doors, load_cases, run_cases

    if not files:
        raise UsageError("FILE... must name at least one vector file, was empty")
    if engine is not None and door is not None:
        raise UsageError("--engine and --door must not be given together: a program has no doors")
    if not 0 < timeout <= 3600:
        raise UsageError(f"--timeout must be above 0 and at most 3600 seconds, was {timeout:g}")
    cases = load_cases(files)
    if list_only:
        return _print_list(list_doors(cases, door), json)
    report = run_cases(cases, door) if engine is None else ask_engine(cases, engine, timeout)
    if json:
        print_json(_to_json(report))
    else:
        _print_report(report)
    if not report.ok:
        if not json:
            _explain_failure(report)
        return Exit.FINDING
    return Exit.OK


def _print_list(rows: "list[tuple[Case, str, str]]", json: bool) -> int:
    if json:
        print_json(
            [
                {"case": c.id, "name": c.name, "engine": c.engine, "mechanism": c.mechanism, "door": d, "reason": r}
                for c, d, r in rows
            ]
        )
        return Exit.OK
    for case, door, reason in rows:
        print(f"{case.id}  {case.kind}{f' ({case.name})' if case.name else ''}  {door or f'none: {reason}'}")
    taken = sum(bool(door) for _, door, _ in rows)
    print(f"{len(rows)} cases, {taken} with a door, {len(rows) - taken} without")
    return Exit.OK


def _to_json(report: "Report") -> dict[str, Any]:
    from tocsin.conform import Status

    return {
        "cases": [
            {
                "case": o.case.id,
                "name": o.case.name,
                "engine": o.case.engine,
                "mechanism": o.case.mechanism,
                "status": str(o.status),
                "door": o.door,
                "expected": _plain(o.case.expected),
                "actual": o.actual,
                "reasons": list(o.reasons),
            }
            for o in report.outcomes
        ],
        **{str(status): report.count(status) for status in Status},
        "ok": report.ok,
    }


def _plain(value: Any) -> Any:
    from tocsin.conform.compare import to_plain

    return to_plain(value)


def _print_report(report: "Report") -> None:
    from tocsin.conform import Status

    for outcome in report.outcomes:
        if outcome.status is Status.FAILED:
            _print_failure(outcome)
    for status in (Status.SKIPPED, Status.PASSED, Status.FAILED):
        for (kind, door, reason), count in report.group(status).items():
            print(f"{count:>5} {status}  {kind}  {f'{door} door' if door else f'({reason})'}")
    for outcome in report.outcomes:
        if outcome.status is Status.PASSED and outcome.reasons:
            print(f"note: {outcome.case.id} {outcome.case.kind}: {'; '.join(outcome.reasons)}")
    print(report.closing_line)


def _print_failure(outcome: "Outcome") -> None:
    case = outcome.case
    title = f"FAILED {case.id} {case.kind}"
    print(f"{title}{f' ({case.name})' if case.name else ''}{f', {outcome.door} door' if outcome.door else ''}")
    if case.source:
        print(f"  source    {case.source}")
    print(f"  inputs    {jsonlib.dumps(_plain(case.inputs), ensure_ascii=False)}")
    print(f"  expected  {jsonlib.dumps(_plain(case.expected), ensure_ascii=False)}")
    print(f"  actual    {jsonlib.dumps(outcome.actual, ensure_ascii=False)}")
    for reason in outcome.reasons:
        print(f"  -         {reason}")


def _explain_failure(report: "Report") -> None:
    from tocsin.conform import Status

    if not report.count(Status.FAILED):
        print_error("no case passed", ["`tocsin conform --list FILE...` names the door of each case"])
