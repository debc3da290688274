"""
`tocsin why`: explain each decision on one account, step by step, from a journal.
"""

from pathlib import Path

from tocsin.cli.output import Exit, print_json
from tocsin.cli.progress import show_wait


def why(journal: Path, account: int, /, *, cycle: int | None = None, last: int = 0, json: bool = False) -> int:
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
    """
    from tocsin.journal.disk import RealDisk
    from tocsin.journal.why import explain
    from tocsin.views.why_text import WhyText

    with show_wait(f"replaying the bucket of account {account}"):
        found = explain(RealDisk(journal), account, cycle=cycle)
    steps = found.steps[-last:] if last > 0 else found.steps
    if json:
        import msgspec

        value = {
            "account": found.account,
            "bucket": found.bucket,
            "cycles": found.cycles,
            "roots_met": found.roots_met,
            "steps": msgspec.to_builtins([s._asdict() for s in steps]),
        }
        print_json(value)
        return Exit.OK
    for line in WhyText(found.last_sheet).write(steps):
        print(line)
    print(
        f"account {found.account}: {len(steps)} steps in {found.cycles:,} cycles; bucket {found.bucket} replayed alone, "
        f"{found.roots_met:,} of its roots met"
    )
    return Exit.OK
