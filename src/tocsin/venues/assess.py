"""
What a trader asks of an evaluation: how far is liquidation, how long may a cure take, what is the cheapest one.

Distances are in percent of the mark and in daily moves of the coin. T* is the time within which a driftless account
reaches its maintenance with a probability of 0.1 %: `(equity - maintenance)^2 / (z^2 x variance a minute)`, z = 3.29;
coins are taken to move against the account together, which no diversification lessens.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext

import msgspec

from tocsin.margin.deadline import t_star_minutes
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Evaluation, Leg, LegMargin, Mode, Portfolio
from tocsin.venues.registry import Rulebook
from tocsin.venues.shocks import move_underlying
from tocsin.venues.volatility import find_coin_day

Z_HUNDREDTHS = 329
MINUTES_A_DAY = 1440
ZERO, ONE = Decimal(0), Decimal(1)
_BUMP = Decimal("0.001")
_SCALE = Decimal("1e6")


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """
    From the mark to the liquidation price: `share` of the mark (signed: - below it), and how many daily moves that is.

    Both None where there is no price, `daily_moves` also where no volatility is known.
    """

    symbol: str
    share: Decimal | None
    daily_moves: Decimal | None


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


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """
    An evaluation with what follows from it. `t_star_minutes` None: nothing moves the account, or a volatility lacks.
    """

    evaluation: Evaluation
    distances: tuple[Distance, ...]
    t_star_minutes: int | None
    volatilities: Mapping[str, Decimal]
    volatility_source: str
    cures: tuple[Cure, ...]
    notes: tuple[str, ...] = ()


def assess(book: Rulebook, portfolio: Portfolio, volatilities: Mapping[str, Decimal]) -> Assessment:
    """
    Evaluate and judge an account.

    Args:
        volatilities: Daily volatility by coin as a fraction (> 0), "*" for all others; what is not there is taken from
            the shipped figures, with their date.
    """
    evaluation = book.run(portfolio)
    with localcontext(NUMBERS):
        vols, source, notes = _volatilities(portfolio, volatilities)
        distances = tuple(
            _distance(leg, margin, vols) for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True)
        )
        minutes, why = _t_star(book, portfolio, evaluation, vols)
        return Assessment(
            evaluation=evaluation,
            distances=distances,
            t_star_minutes=minutes,
            volatilities=vols,
            volatility_source=source,
            cures=tuple(find_cures(book.run, portfolio, evaluation)),
            notes=(*notes, *((why,) if why else ())),
        )


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
    for level in ("maintenance", "initial"):
        short = shortfall(portfolio, evaluation, level)
        if short > 0 or (short == 0 and level == "maintenance"):
            cure = Cure(scope="account", level=level, deposit=short, unit=evaluation.unit)
            options = [_with_close(run, portfolio, [n], cure) for n in shared]
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
    for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
        if leg.mode is Mode.ISOLATED and margin.unit == evaluation.unit:
            have -= (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
            needed -= (margin.initial if level == "initial" else margin.maintenance) or ZERO
    return needed - have


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


def _volatilities(
    portfolio: Portfolio, given: Mapping[str, Decimal]
) -> tuple[dict[str, Decimal], str, tuple[str, ...]]:
    vols: dict[str, Decimal] = {}
    days: set[str] = set()
    lacking: list[str] = []
    for coin in sorted({leg.underlying for leg in portfolio.legs}):
        value = given.get(coin, given.get("*"))
        if value is not None:
            vols[coin] = value
            days.add("given")
        elif (shipped := find_coin_day(coin)) is not None:
            vols[coin] = shipped.daily_volatility
            days.add(f"one year to {shipped.last_day}")
        else:
            lacking.append(coin)
    notes = (f"no volatility of {', '.join(lacking)} is shipped: give --vol {lacking[0]}=4%",) if lacking else ()
    return vols, ", ".join(sorted(days)), notes


def _distance(leg: Leg, margin: LegMargin, vols: Mapping[str, Decimal]) -> Distance:
    price = margin.liquidation.price if margin.liquidation else None
    if price is None or leg.mark is None:
        return Distance(symbol=leg.symbol, share=None, daily_moves=None)
    share = price / leg.mark - 1
    vol = vols.get(leg.underlying)
    return Distance(symbol=leg.symbol, share=share, daily_moves=abs(share) / vol if vol else None)


def _t_star(
    book: Rulebook, portfolio: Portfolio, evaluation: Evaluation, vols: Mapping[str, Decimal]
) -> tuple[int | None, str]:
    """
    Return T* in minutes and, where there is none, why. A part with the least time decides, isolated legs included.
    """
    coins = sorted({leg.underlying for leg in portfolio.legs if leg.size})
    if not coins:
        return None, ""
    if any(coin not in vols for coin in coins):
        return None, "T* needs the volatility of every coin"
    times: list[int] = []
    for n, leg in enumerate(portfolio.legs):
        margin = evaluation.legs[n]
        if leg.mode is not Mode.ISOLATED or not leg.size:
            continue
        if margin.maintenance is None or margin.unrealised is None or leg.isolated_collateral is None:
            return None, f"T* needs maintenance, profit and collateral of {leg.symbol}"
        buffer = leg.isolated_collateral + margin.unrealised - margin.maintenance
        minutes = _minutes(buffer, margin.notional * vols[leg.underlying])
        times += [minutes] if minutes is not None else []
    shared = [leg for leg in portfolio.legs if leg.mode is not Mode.ISOLATED and leg.size]
    if shared:
        need = liquidation_need(evaluation)
        if evaluation.equity is None or need is None:
            return None, "T* needs equity and maintenance of the account"
        deviation = ZERO
        for coin in sorted({leg.underlying for leg in shared}):
            deviation += abs(_slope(book, portfolio, evaluation.equity, coin)) * vols[coin]
        buffer = evaluation.equity - need
        for n, leg in enumerate(portfolio.legs):
            margin = evaluation.legs[n]
            if leg.mode is Mode.ISOLATED and margin.unit == evaluation.unit:
                held = (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
                buffer -= held - (margin.maintenance or ZERO)
        minutes = _minutes(buffer, deviation)
        times += [minutes] if minutes is not None else []
    return (min(times), "") if times else (None, "T* is absent: the account's value does not move with its markets")


def _slope(book: Rulebook, portfolio: Portfolio, equity: Decimal, coin: str) -> Decimal:
    """
    Return what the shared part of the account loses when a coin falls by 100 %, from a fall of a thousandth.
    """
    legs = tuple(
        leg if leg.mode is not Mode.ISOLATED else msgspec.structs.replace(leg, underlying="") for leg in portfolio.legs
    )
    moved = move_underlying(msgspec.structs.replace(portfolio, legs=legs), coin, 1 - _BUMP)
    back = tuple(
        msgspec.structs.replace(m, underlying=leg.underlying) for m, leg in zip(moved.legs, portfolio.legs, strict=True)
    )
    found = book.run(msgspec.structs.replace(moved, legs=back)).equity
    return ZERO if found is None else (equity - found) / _BUMP


def _minutes(buffer: Decimal, deviation_a_day: Decimal) -> int | None:
    scale = _SCALE
    variance = int((deviation_a_day * scale) ** 2 / MINUTES_A_DAY)
    return t_star_minutes(int(buffer * scale), 0, variance, Z_HUNDREDTHS)
