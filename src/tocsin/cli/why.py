"""
`tocsin why`: explain each decision on one account, step by step, from a journal.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.journals import find_journal, show_reading
from tocsin.cli.output import Exit, UsageError, print_json

if TYPE_CHECKING:
    from tocsin.journal.disk import RealDisk


def why(
    journal: Path,
    account: int,
    /,
    *,
    cycle: int | None = None,
    last: int = 0,
    json: bool = False,
    proof: bool = False,
) -> int:
    """
    Explain each decision on one account: equity, requirements, call, deadline, plan, each with its numbers.

    Replays only the bucket of the account and checks its roots on the way.

    Parameters
    ----------
    journal:
        Folder of the journal.
    account:
        Number of the account.
    cycle:
        Only this cycle.
    last:
        Only the last so many steps (0: all).
    json:
        Print one JSON object.
    proof:
        Print instead a proof, as JSON, of what the account holds after the last cycle; `tocsin verify --proof` checks
        it against a root. Recomputes the whole journal.
    """
    from tocsin.journal.why import explain

    if last < 0:
        raise UsageError(f"--last must be 0 or more, was {last}")
    disk = find_journal(journal)
    if proof:
        return _prove(disk, account, cycle is not None or last > 0)
    with show_reading(f"why {account}", unit="cycles") as report:
        found = explain(disk, account, cycle=cycle, progress=report)
    steps = found.steps[-last:] if last else found.steps
    if json:
        from tocsin.views.why_json import step_value

        print_json(
            {
                "account": found.account,
                "bucket": found.bucket,
                "cycles": found.cycles,
                "roots_met": found.roots_met,
                "steps": [step_value(s) for s in steps],
            }
        )
        return Exit.OK
    from tocsin.views.why_text import write_steps

    for line in write_steps(steps):
        print(line)
    shown = f"{len(steps):,} {'step' if len(steps) == 1 else 'steps'}"
    if len(steps) < len(found.steps):
        shown += f" of {len(found.steps):,}"
    print(f"account {found.account}: {shown} in {found.cycles:,} cycles. Bucket {found.bucket} was replayed alone;")
    print(f"{found.roots_met:,} of its roots were met. Amounts without a symbol are in the valuation unit.")
    return Exit.OK


def _prove(disk: "RealDisk", account: int, is_narrowed: bool) -> int:
    from tocsin.journal.proof import proof_value, prove_account

    if is_narrowed:
        raise UsageError("--proof is of the last cycle; leave out --cycle and --last")
    with show_reading(f"prove {account}", unit="records") as report:
        proven = prove_account(disk, account, progress=report)
    print_json(proof_value(proven))
    return Exit.OK
