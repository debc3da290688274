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

    `deposit` is in `unit`; `close` is how many contracts of `leg` to close (> 0) instead, closing a notional of
    `close_notional`, fees and impact left out; None where closing no single leg alone is enough.
    """

    scope: str
    level: str
    deposit: Decimal
    unit: str
    leg: str = ""
    close: Decimal | None = None
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
    Return what each part below its requirement needs: the account its initial margin, an isolated leg its maintenance.

    An account above maintenance but below initial margin may not open or withdraw; the cure lifts that as well.
    """
    cures: list[Cure] = []
    apart = [(n, leg) for n, leg in enumerate(portfolio.legs) if leg.mode is Mode.ISOLATED]
    for n, leg in apart:
        margin = evaluation.legs[n]
        if margin.maintenance is None or margin.unrealised is None or leg.isolated_collateral is None:
            continue
        short = margin.maintenance - leg.isolated_collateral - margin.unrealised
        if short >= 0:
            cures.append(_with_close(run, portfolio, n, Cure(
                scope=leg.symbol, level="maintenance", deposit=short, unit=margin.unit)))  # fmt: skip
    if len(apart) == len(portfolio.legs) or evaluation.equity is None:
        return cures
    short, level = shortfall(portfolio, evaluation)
    if short > 0:
        cure = Cure(scope="account", level=level, deposit=short, unit=evaluation.unit)
        options = [
            _with_close(run, portfolio, n, cure)
            for n, leg in enumerate(portfolio.legs)
            if leg.mode is not Mode.ISOLATED
        ]
        enough = [c for c in options if c.close_notional is not None]
        cures.append(min(enough, key=lambda c: c.close_notional or ZERO) if enough else cure)
    return cures


def shortfall(portfolio: Portfolio, evaluation: Evaluation) -> tuple[Decimal, str]:
    """
    Return what the shared part of the account lacks to its initial margin (maintenance where that is not known).
    """
    needed, level = evaluation.initial, "initial"
    if needed is None or (evaluation.maintenance is not None and evaluation.maintenance > needed):
        needed, level = evaluation.maintenance, "maintenance"
    if needed is None or evaluation.equity is None:
        return ZERO, level
    have = evaluation.equity
    for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
        if leg.mode is Mode.ISOLATED and margin.unit == evaluation.unit:
            have -= (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
            needed -= (margin.initial if level == "initial" else margin.maintenance) or ZERO
    return needed - have, level


def _with_close(run: Callable[[Portfolio], Evaluation], portfolio: Portfolio, n: int, cure: Cure) -> Cure:
    """
    Return the cure with the smallest part of a leg whose closing at the mark is enough, to a millionth of the leg.
    """
    leg = portfolio.legs[n]
    margin = run(portfolio).legs[n]

    def holds(share: Decimal) -> bool:
        after, realised = _close(portfolio, n, margin, share)
        try:
            found = run(after)
        except VenueRefusal:
            return False
        if cure.scope == leg.symbol:
            if share == 1:
                return leg.isolated_collateral is not None and leg.isolated_collateral + realised > 0
            part = found.legs[n]
            have = (after.legs[n].isolated_collateral or ZERO) + (part.unrealised or ZERO)
            return part.maintenance is not None and have > part.maintenance
        return shortfall(after, found)[0] <= 0

    low, high = ZERO, ONE
    if not leg.size or not holds(ONE):
        return cure
    while high - low > Decimal("1e-6"):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return msgspec.structs.replace(
        cure, leg=leg.symbol, close=abs(leg.size) * high, close_notional=margin.notional * high
    )


def _close(portfolio: Portfolio, n: int, margin: LegMargin, share: Decimal) -> tuple[Portfolio, Decimal]:
    """
    Return the account after closing a share of a leg at its mark: its profit goes to the money behind it.
    """
    leg = portfolio.legs[n]
    realised = (margin.unrealised or ZERO) * share
    rest = msgspec.structs.replace(leg, size=leg.size * (1 - share))
    balances = portfolio.balances
    if leg.mode is Mode.ISOLATED and leg.isolated_collateral is not None:
        rest = msgspec.structs.replace(rest, isolated_collateral=leg.isolated_collateral + realised)
    balances = tuple(
        msgspec.structs.replace(b, amount=b.amount + realised) if b.asset == margin.unit else b for b in balances
    )
    legs = tuple(rest if i == n else other for i, other in enumerate(portfolio.legs))
    if share == 1 and leg.mode is not Mode.ISOLATED:
        legs = tuple(other for i, other in enumerate(portfolio.legs) if i != n)
    return msgspec.structs.replace(portfolio, legs=legs, balances=balances), realised


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
        if evaluation.equity is None or evaluation.maintenance is None:
            return None, "T* needs equity and maintenance of the account"
        deviation = ZERO
        for coin in sorted({leg.underlying for leg in shared}):
            deviation += abs(_slope(book, portfolio, evaluation.equity, coin)) * vols[coin]
        buffer = evaluation.equity - evaluation.maintenance
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
