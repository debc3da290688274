"""
Tocsin's own rules on a venue's account: through the engine's functions, in whole units, under a stated sheet.

The sheet: one contract a leg, margined in one money worth 1 USD, collateral in full, brackets of Binance USD-M for the
coin as the rates that a venue calls maintenance; the preset puts them at `liquidation` (exchange) or at `margin_call`
(broker, clearing) and scales the other levels. Units are millionths of a dollar. Cross and isolated linear legs.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.core.limits import MARK_MAX, NOTIONAL_MAX, NOTIONAL_PER_LOT_MIN, PRICE_SCALE
from tocsin.margin.levels import assess
from tocsin.margin.prices import liquidation_price
from tocsin.margin.state import AccountState
from tocsin.margin.state import Mode as AccountMode
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.terms import AssetTerms, ContractTerms, HaircutTier, Kind, LevelFactors, Preset, RiskSheet, Tier
from tocsin.venues import VenueRefusal
from tocsin.venues.binance_tables import USDM, read_table
from tocsin.venues.contract import (
    Basis,
    Evaluation,
    Health,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.params import Params, ParamSet, load
from tocsin.venues.products import entry_of, mark_of, notional_at, profit_between
from tocsin.venues.question import DOLLARS
from tocsin.venues.registry import Rulebook

UNIT = Decimal(1_000_000)
LOT_USD = 100_000
"""Lots are cut so that one is worth at most this, which leaves room for its mark to rise a hundredfold."""

FORMULA = "requirement of a level = tiered component x the preset's factor; equity compared with it (docs/rulebook)"
_REASONS = {
    "already below": NoPrice.ALREADY_BELOW,
    "never": NoPrice.FULLY_COLLATERALISED,
    "no position": NoPrice.HEDGED,
}


class _Piece(NamedTuple):
    """An account of the engine made of legs: their places, the account, its valuation."""

    places: tuple[int, ...]
    account: AccountState
    valuation: Valuation
    lots: dict[int, int]


def _evaluator(preset: Preset) -> Callable[[Portfolio, Params], Evaluation]:
    """
    Return the function of one preset's rulebook.
    """

    def evaluate(portfolio: Portfolio, params: Params) -> Evaluation:
        tables = load("binance", USDM, params.at)
        pieces = _cut(portfolio, preset, tables)
        found = [assess(piece.account, piece.valuation) for piece in pieces]
        margins: dict[int, LegMargin] = {}
        for piece in pieces:
            for i, n in enumerate(piece.places):
                margins[n] = _leg_margin(portfolio.legs[n], piece, i, tables)
        needs = [sum((a.requirements[k] for a in found), 0) / UNIT for k in range(4)]
        equity = sum((a.equity for a in found), 0) / UNIT
        return Evaluation(
            rules=f"tocsin-{preset.name.lower()}",
            unit="USD",
            equity=equity,
            initial=needs[0],
            maintenance=needs[2],
            legs=tuple(margins[n] for n in range(len(portfolio.legs))),
            health=_health(equity, needs[2], tiered_factors(preset)),
            basis=tables.basis(FORMULA, "maintenance stands for the liquidation level"),
            signed={"margin_call": needs[1], "takeover": needs[3]},
        )

    return evaluate


def _cut(portfolio: Portfolio, preset: Preset, tables: ParamSet) -> list[_Piece]:
    """
    Return the engine's accounts: one for all cross legs, one for each isolated leg.
    """
    for leg in portfolio.legs:
        if leg.product is not Product.LINEAR:
            raise VenueRefusal(f"the stated sheet holds linear contracts; {leg.symbol} is {leg.product}")
        if leg.settle and leg.settle not in DOLLARS:
            raise VenueRefusal(f"the stated sheet has one money worth 1 USD; {leg.symbol} is settled in {leg.settle}")
    cross = [n for n, leg in enumerate(portfolio.legs) if leg.mode is not Mode.ISOLATED]
    pieces: list[_Piece] = []
    held = Decimal(0)
    for n, leg in enumerate(portfolio.legs):
        if leg.mode is Mode.ISOLATED:
            if leg.isolated_collateral is None:
                raise MissingInput("isolated_collateral", f"{leg.symbol} is isolated")
            held += leg.isolated_collateral
            pieces.append(_build(portfolio, [n], leg.isolated_collateral, preset, tables))
    if cross:
        pieces.append(_build(portfolio, cross, _cross_cash(portfolio, cross, held), preset, tables))
    return pieces


def _cross_cash(portfolio: Portfolio, cross: list[int], held: Decimal) -> Decimal:
    if not portfolio.balances:
        if portfolio.equity is None or held:
            raise MissingInput("balances", "the money behind the cross legs is not given")
        return portfolio.equity - sum((_profit(portfolio.legs[n]) for n in cross), Decimal(0))
    cash = Decimal(0)
    for balance in portfolio.balances:
        price = balance.price or (Decimal(1) if balance.asset in DOLLARS else None)
        if price is None:
            raise MissingInput("price", f"balance {balance.asset} counts at its price in USD")
        cash += balance.amount * price
    return cash - held


def _build(portfolio: Portfolio, places: list[int], cash: Decimal, preset: Preset, tables: ParamSet) -> _Piece:
    terms: list[ContractTerms] = []
    marks: dict[int, Mark] = {}
    positions: dict[int, tuple[int, int]] = {}
    lots_of: dict[int, int] = {}
    for i, n in enumerate(places):
        leg = portfolio.legs[n]
        notional = notional_at(leg, mark_of(leg))
        lots = 1
        while notional > lots * LOT_USD:
            lots *= 10
        mark = _whole(notional / lots)
        cap = min(MARK_MAX, NOTIONAL_MAX // lots)
        if not NOTIONAL_PER_LOT_MIN <= mark <= cap:
            raise VenueRefusal(f"{leg.symbol}: a notional of {notional:.8g} is outside what the engine holds")
        sign = 1 if leg.size > 0 else -1
        entry = _whole(leg.size * leg.contract_size * entry_of(leg))
        positions[i] = (sign * lots, entry)
        marks[i], lots_of[i] = Mark(mark, 0, Grade.FRESH, 0), lots
        terms.append(_terms(i, leg, cap, lots, tables))
    sheet = RiskSheet(
        name="margin",
        preset=preset,
        assets=(AssetTerms(0, "USD", 0, PRICE_SCALE, (HaircutTier(0, 0),)),),
        contracts=tuple(terms),
        tiered=tiered_factors(preset),
        charge=LevelFactors(0, 0, 0, 0),
        hysteresis_ppm=HYSTERESIS_PPM,
    )
    account = AccountState(1, 1, AccountMode.CROSS, cash={0: _whole(cash)}, positions=positions)
    return _Piece(tuple(places), account, Valuation(sheet, Marks(marks, {0: PRICE_SCALE})), lots_of)


def _terms(i: int, leg: Leg, cap: int, lots: int, tables: ParamSet) -> ContractTerms:
    symbol = f"{leg.underlying}USDT"
    if symbol not in tables.get("symbols"):
        raise MissingInput("maintenance_rate", f"the stated sheet has no brackets for {leg.underlying}")
    tiers = tuple(Tier(int(t.floor * UNIT), int(t.rate * PPM)) for t in read_table(tables, symbol).tiers)
    return ContractTerms(
        id=i, symbol=f"C{i}", kind=Kind.LINEAR, asset=0, units=1, mark_cap=cap, position_cap=lots, tiers=tiers
    )


def _leg_margin(leg: Leg, piece: _Piece, i: int, tables: ParamSet) -> LegMargin:
    alone = AccountState(1, 1, positions={i: piece.account.positions[i]})
    needs = assess(alone, piece.valuation).requirements
    answer = liquidation_price(piece.account, piece.valuation, i)
    others = tuple(sorted(f"C{k}" for k in piece.account.positions if k != i))
    if answer.mark is None:
        found = LiquidationPrice(price=None, reason=_REASONS[answer.reason], binding="account" if others else "leg")
    else:
        units = abs(leg.size) * leg.contract_size
        price = answer.mark * piece.lots[i] / UNIT / units
        found = LiquidationPrice(price=price, binding="account" if others else "leg")
    return LegMargin(
        symbol=leg.symbol,
        unit="USD",
        notional=notional_at(leg, mark_of(leg)),
        initial=needs[0] / UNIT,
        maintenance=needs[2] / UNIT,
        unrealised=_profit(leg),
        liquidation=found,
        basis=Basis(
            formula=FORMULA,
            params=f"binance/{USDM}",
            params_date=tables.valid_from,
            source="brackets of Binance USD-M for the coin, factors of docs/rulebook/levels.md (LV-010)",
        ),
    )


def _profit(leg: Leg) -> Decimal:
    return profit_between(leg, entry_of(leg), mark_of(leg))


def _health(equity: Decimal, liquidation: Decimal, factors: LevelFactors) -> Health:
    base = Decimal(factors.liquidation)
    steps = ((factors.initial, "may not open or withdraw"), (factors.margin_call, "margin call"),
             (factors.liquidation, "liquidation"), (factors.takeover, "takeover"))  # fmt: skip
    thresholds = tuple(Threshold(value=Decimal(f) / base, worse="down", effect=effect) for f, effect in steps)
    value = equity / liquidation if liquidation else None
    return Health(name="equity / liquidation requirement", value=value, thresholds=thresholds)


def _whole(amount: Decimal) -> int:
    return int((amount * UNIT).to_integral_value(ROUND_HALF_EVEN))


OWN_RULES: tuple[Rulebook, ...] = tuple(
    Rulebook(
        name=f"tocsin-{preset.name.lower()}",
        title=f"Tocsin, preset {preset.name.lower()}",
        venue="tocsin",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.LINEAR,),
        evaluate=_evaluator(preset),
        page="../rulebook/README.md",
    )
    for preset in (Preset.EXCHANGE, Preset.BROKER, Preset.CLEARING)
)
"""Tocsin's presets as rulebooks; `tocsin` alone means the first."""
