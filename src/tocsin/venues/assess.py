"""
What a trader asks of an evaluation: how far is liquidation, how long may a cure take, what is the cheapest one.

Distances are in percent of the mark and in daily moves of the coin. T* is the time within which a driftless account
reaches its maintenance with a probability of 0.1 %: `(equity - maintenance)^2 / (z^2 x variance a minute)`, z = 3.29;
coins are taken to move against the account together, which no diversification lessens.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext

import msgspec

from tocsin.margin.deadline import t_star_minutes
from tocsin.venues.contract import NUMBERS, Evaluation, Leg, LegMargin, MissingInput, Mode, Portfolio, Product
from tocsin.venues.cures import Cure, find_cures, holds_isolated, liquidation_need
from tocsin.venues.products import profit_between
from tocsin.venues.registry import Rulebook
from tocsin.venues.shocks import move_underlying
from tocsin.venues.volatility import find_coin_day

Z_HUNDREDTHS = 329
MINUTES_A_DAY = 1440
ZERO, ONE = Decimal(0), Decimal(1)
COINS_MAX = 40
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
            notes=(*notes, *((why,) if why else ()), *_odd_leverage(portfolio, evaluation)),
        )


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
    named = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    notes = (f"no volatility of {named} is shipped: give --vol {lacking[0]}=4%",) if lacking else ()
    return vols, ", ".join(sorted(days)), notes


def _odd_leverage(portfolio: Portfolio, evaluation: Evaluation) -> Iterator[str]:
    """
    Return a note for each leg whose leverage asks for less initial margin than maintenance: no venue gives that.
    """
    for leg, margin in zip(portfolio.legs, evaluation.legs, strict=True):
        if leg.leverage is None or margin.initial is None or margin.maintenance is None:
            continue
        if margin.initial - margin.orders < margin.maintenance - margin.fees:
            yield f"{leg.symbol}: leverage {leg.leverage} puts initial margin below maintenance: more than is allowed"


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
    if len(coins) > COINS_MAX:
        return None, f"T* is left out for more than {COINS_MAX} coins"
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
            try:
                deviation += abs(_slope(book, portfolio, evaluation, coin)) * vols[coin]
            except MissingInput as error:
                return None, f"no T*: {error}"
        buffer = evaluation.equity - need
        counted = holds_isolated(portfolio, evaluation)
        for n, leg in enumerate(portfolio.legs):
            margin = evaluation.legs[n]
            if counted and leg.mode is Mode.ISOLATED and margin.unit == evaluation.unit:
                held = (leg.isolated_collateral or ZERO) + (margin.unrealised or ZERO)
                buffer -= held - (margin.maintenance or ZERO)
        minutes = _minutes(buffer, deviation)
        times += [minutes] if minutes is not None else []
    return (min(times), "") if times else (None, "T* is absent: the account's value does not move with its markets")


def _slope(book: Rulebook, portfolio: Portfolio, evaluation: Evaluation, coin: str) -> Decimal:
    """
    Return what the shared part of the account loses when a coin falls by 100 %, from a fall of a thousandth.

    An equity that the venue published, without the balances behind it, moves by the profit of its legs.

    Raises:
        MissingInput: Only the published equity is known, and a leg's profit is not in its unit.
    """
    legs = tuple(
        leg if leg.mode is not Mode.ISOLATED else msgspec.structs.replace(leg, underlying="") for leg in portfolio.legs
    )
    moved = move_underlying(msgspec.structs.replace(portfolio, legs=legs), coin, 1 - _BUMP)
    back = tuple(
        msgspec.structs.replace(m, underlying=leg.underlying) for m, leg in zip(moved.legs, portfolio.legs, strict=True)
    )
    if not portfolio.balances and portfolio.equity is not None:
        pairs = [p for p in zip(portfolio.legs, back, evaluation.legs, strict=True) if p[0].mode is not Mode.ISOLATED]
        return -sum((_profit(*pair, evaluation.unit) for pair in pairs), ZERO) / _BUMP
    found = book.run(msgspec.structs.replace(moved, legs=back)).equity
    return ZERO if found is None or evaluation.equity is None else (evaluation.equity - found) / _BUMP


def _profit(leg: Leg, moved: Leg, margin: LegMargin, unit: str) -> Decimal:
    """
    Return what a leg gains on the way from its mark to its moved one, in the account's unit.
    """
    if leg.mark == moved.mark or leg.mark is None or moved.mark is None:
        return ZERO
    if leg.product not in (Product.LINEAR, Product.INVERSE) or margin.unit != unit:
        raise MissingInput("balances", f"how the equity moves with {leg.symbol} is not known without them")
    return profit_between(leg, leg.mark, moved.mark)


def _minutes(buffer: Decimal, deviation_a_day: Decimal) -> int | None:
    scale = _SCALE
    variance = int((deviation_a_day * scale) ** 2 / MINUTES_A_DAY)
    return t_star_minutes(int(buffer * scale), 0, variance, Z_HUNDREDTHS)
