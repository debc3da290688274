"""
Run cases through Tocsin's doors: choose a route, compute, compare, and never raise for a case.
"""

from collections.abc import Iterable
from typing import Any

from tocsin.conform.compare import find_differences, to_plain
from tocsin.conform.doors import Route, find_routes
from tocsin.conform.inputs import Inputs
from tocsin.conform.outcome import Outcome, Report, Status
from tocsin.conform.vectors import Case
from tocsin.core.errors import DataError

NO_RULE = "Tocsin has no rule for this mechanism"


def run_cases(cases: Iterable[Case], door: str | None = None) -> Report:
    """
    Return the outcome of each case.

    Args:
        cases: From `load_cases`.
        door: `core`, `venue` or `risk` to use that door only; None for the first that accepts a case.
    """
    return Report(tuple(run_case(case, door) for case in cases))


def run_case(case: Case, door: str | None = None) -> Outcome:
    """
    Return the outcome of one case: skipped if no door takes it, failed with a reason if its inputs are wrong.
    """
    route, reason = find_route(case, door)
    if route is None:
        wrong = reason.startswith("inputs")
        return Outcome(case, Status.FAILED if wrong else Status.SKIPPED, reasons=(reason,))
    inputs = Inputs(case.inputs)
    try:
        outputs = route.run(inputs)
    except DataError as error:
        return Outcome(case, Status.FAILED, route.door, reasons=(str(error),))
    except Exception as error:  # noqa: BLE001 - a case may not end the run; the failure is named
        return Outcome(case, Status.FAILED, route.door, reasons=(f"{type(error).__name__}: {error}",))
    return judge(case, route.door, outputs, unread=inputs.unread())


def judge(case: Case, door: str, outputs: Any, unread: Iterable[str] = ()) -> Outcome:
    """
    Return the outcome of a case whose outputs are known; inputs that nobody read are told with it.
    """
    differences = find_differences(case.expected, outputs, case.tolerance)
    notes = tuple(f"not read: {place}" for place in unread)
    status = Status.FAILED if differences else Status.PASSED
    return Outcome(case, status, door, to_plain(outputs), (*differences, *notes))


def find_route(case: Case, door: str | None = None) -> tuple[Route | None, str]:
    """
    Return the route a case goes, or None and why.
    """
    if case.unrunnable:
        return None, case.unrunnable
    routes = find_routes(case.mechanism)
    if not routes:
        return None, NO_RULE
    reasons: list[str] = []
    for route in routes:
        if door is not None and route.door != door:
            continue
        try:
            refusal = route.refuse(Inputs(case.inputs))
        except DataError as error:
            return None, str(error)
        if not refusal:
            return route, ""
        reasons.append(f"{route.door} door: {refusal}")
    return None, "; ".join(reasons) or f"not a mechanism of the {door} door"


def list_doors(cases: Iterable[Case], door: str | None = None) -> list[tuple[Case, str, str]]:
    """
    Return each case with the door it would go through (empty if none) and why not, running nothing.
    """
    out: list[tuple[Case, str, str]] = []
    for case in cases:
        route, reason = find_route(case, door)
        out.append((case, route.door if route else "", reason))
    return out
