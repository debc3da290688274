"""
The cheapest cure: what to deposit, or which leg to close, so that each part of an account meets its requirement again.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Evaluation, Leg, LegMargin, Mode, Portfolio

ZERO, ONE = Decimal(0), Decimal(1)
LEGS_TRIED = 10
"""Closing one leg alone is tried for so many, the largest."""


class Cure(msgspec.Struct, frozen=True, kw_only=True):
    """
    What brings a part of the account ("account", or an isolated leg's symbol) back to a level.

    `deposit` is in `unit`. Instead, `close` contracts (> 0) of `leg` may be closed, `close_share` of it, a notional of
    `close_notional`; fees and impact are left out. Where no single leg is enough, `leg` is "every leg" and `close` is
    None; all are None where closing everything is not.
    """

    scope: str
    level: str
    deposit: Decimal
    unit: str
    leg: str = ""
    close: Decimal | None = None
    close_share: Decimal | None = None
    close_notional: Decimal | None = None


def find_cures(run: Callable[[Portfolio], Evaluation], portfolio: Portfolio, evaluation: Evaluation) -> list[Cure]:
    """
    Return what each part below a requirement needs: the account maintenance, then initial margin; an isolated leg its
    maintenance.

    At maintenance it is liquidated; below initial margin it may not open or withdraw.
    """
    cures: list[Cure] = []
    apart = [(n, leg) for n, leg in enumerate(portfolio.legs) if leg.mode is Mode.ISOLATED]
    for n, leg in apart:
        margin = evaluation.legs[n]
        if margin.maintenance is None or margin.unrealised is None or leg.isolated_collateral is None:
            continue
        short = margin.maintenance - leg.isolated_collateral - margin.unrealised
        if short >= 0:
            cures.append(_with_close(run, portfolio, [n], Cure(
                scope=leg.symbol, level="maintenance", deposit=short, unit=margin.unit)))  # fmt: skip
    if len(apart) == len(portfolio.legs) or evaluation.equity is None:
        return cures
    shared = [n for n, leg in enumerate(portfolio.legs) if leg.mode is not Mode.ISOLATED]
    largest = sorted(shared, key=lambda n: -abs(evaluation.legs[n].notional))[:LEGS_TRIED]
    for level in ("maintenance", "initial"):
        short = shortfall(portfolio, evaluation, level)
        if short > 0 or (short == 0 and level == "maintenance"):
            cure = Cure(scope="account", level=level, deposit=short, unit=evaluation.unit)
            options = [_with_close(run, portfolio, [n], cure) for n in largest]
            enough = [c for c in options if c.close_notional is not None]
            if not enough:
                enough = [_with_close(run, portfolio, shared, cure)]
            cures.append(min(enough, key=lambda c: c.close_notional or ZERO))
    return cures


def liquidation_need(evaluation: Evaluation) -> Decimal | None:
    """
    Return the amount at which equity is liquidated: `signed["liquidation_requirement"]` where the venue's threshold is
    not maintenance itself, else maintenance.
    """
    return evaluation.signed.get("liquidation_requirement", evaluation.maintenance)


def shortfall(portfolio: Portfolio, evaluation: Evaluation, level: str) -> Decimal:
    """
    Return what the shared part of the account lacks to a level; below 0 if it has more, or if that is not known.
    """
    needed = evaluation.initial if level == "initial" else liquidation_need(evaluation)
    if needed is None or evaluation.equity is None:
        return -ONE
    have = evaluation.equity
    if not holds_isolated(portfolio, evaluation):
        return needed - have
    for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
        if leg.mode is Mode.ISOLATED and margin.unit == evaluation.unit:
            have -= (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
            needed -= (margin.initial if level == "initial" else margin.maintenance) or ZERO
    return needed - have


def holds_isolated(portfolio: Portfolio, evaluation: Evaluation) -> bool:
    """
    Tell whether the venue's totals hold its isolated legs: some name the account's sums so, some those of cross alone.
    """
    apart = shared = ZERO
    for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
        if margin.unit != evaluation.unit or margin.maintenance is None:
            continue
        if leg.mode is Mode.ISOLATED:
            apart += margin.maintenance
        else:
            shared += margin.maintenance
    return evaluation.maintenance is not None and evaluation.maintenance - shared > apart / 2


def _with_close(run: Callable[[Portfolio], Evaluation], portfolio: Portfolio, chosen: list[int], cure: Cure) -> Cure:
    """
    Return the cure with the smallest share of the chosen legs whose closing at the mark is enough, to a millionth.
    """
    margins = run(portfolio).legs

    def holds(share: Decimal) -> bool:
        after = _close(portfolio, margins, chosen, share)
        try:
            found = run(after)
        except VenueRefusal:
            return False
        if cure.scope == "account":
            left = shortfall(after, found, cure.level)
            return left < 0 if cure.level == "maintenance" else left <= 0
        leg, margin = after.legs[chosen[0]], found.legs[chosen[0]]
        have = (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
        return have > 0 if share == 1 else margin.maintenance is not None and have > margin.maintenance

    low, high = ZERO, ONE
    if not any(portfolio.legs[n].size for n in chosen) or not holds(ONE):
        return cure
    while high - low > Decimal("1e-6"):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    one = portfolio.legs[chosen[0]] if len(chosen) == 1 else None
    return msgspec.structs.replace(
        cure,
        leg=one.symbol if one is not None else "every leg",
        close=abs(one.size) * high if one is not None else None,
        close_share=high,
        close_notional=sum((margins[n].notional * high for n in chosen), ZERO),
    )


def _close(portfolio: Portfolio, margins: tuple[LegMargin, ...], chosen: list[int], share: Decimal) -> Portfolio:
    """
    Return the account after closing a share of legs at their marks: the profit goes to the money behind them.
    """
    legs: list[Leg] = []
    amounts = {b.asset: b.amount for b in portfolio.balances}
    for n, leg in enumerate(portfolio.legs):
        if n not in chosen:
            legs.append(leg)
            continue
        realised = (margins[n].unrealised or ZERO) * share
        if margins[n].unit in amounts:
            amounts[margins[n].unit] += realised
        if leg.isolated_collateral is not None:
            leg = msgspec.structs.replace(leg, isolated_collateral=leg.isolated_collateral + realised)
        if share < 1 or leg.mode is Mode.ISOLATED:
            legs.append(msgspec.structs.replace(leg, size=leg.size * (1 - share)))
    balances = tuple(msgspec.structs.replace(b, amount=amounts[b.asset]) for b in portfolio.balances)
    return msgspec.structs.replace(portfolio, legs=tuple(legs), balances=balances)
