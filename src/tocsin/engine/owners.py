"""
Owner links: what the owner of an account holds in its other accounts (rules AC-034, RQ-020, RQ-022).

Shards report linked accounts as they change; the ClearingHouse keeps the last report of each and tells every account,
with the next opening, the sums over its owner's others.
"""

from collections.abc import Iterable

import msgspec

from tocsin.engine.messages import Linked


class LinkedAccount(msgspec.Struct, frozen=True, array_like=True):
    """An account with an owner and what it held at its last report: (key, absolute amount), ascending."""

    account: int
    owner: int
    held: tuple[tuple[int, int], ...]


def take_reports(known: list[LinkedAccount], reports: Iterable[Linked]) -> list[LinkedAccount]:
    """
    Return the linked accounts, ascending, after the reports of a close.
    """
    by_account = {entry.account: entry for entry in known}
    for report in reports:
        if report.owner:
            by_account[report.account] = LinkedAccount(report.account, report.owner, report.held)
        else:
            by_account.pop(report.account, None)
    return [by_account[account] for account in sorted(by_account)]


def rescale_links(known: list[LinkedAccount], factors: dict[int, int]) -> list[LinkedAccount]:
    """
    Return the linked accounts with their lots of some contracts times a factor (rule LC-021); deltas are as they were.
    """
    if not factors:
        return known
    return [
        msgspec.structs.replace(entry, held=tuple((key, amount * factors.get(key, 1)) for key, amount in entry.held))
        for entry in known
    ]


def sum_others(known: list[LinkedAccount]) -> dict[int, dict[int, int]]:
    """
    Return per account what the other accounts of its owner hold; accounts with nothing to add up are left out.
    """
    totals: dict[int, dict[int, int]] = {}
    for entry in known:
        total = totals.setdefault(entry.owner, {})
        for key, amount in entry.held:
            total[key] = total.get(key, 0) + amount
    out: dict[int, dict[int, int]] = {}
    for entry in known:
        own = dict(entry.held)
        others = {key: amount - own.get(key, 0) for key, amount in sorted(totals[entry.owner].items())}
        others = {key: amount for key, amount in others.items() if amount}
        if others:
            out[entry.account] = others
    return out
