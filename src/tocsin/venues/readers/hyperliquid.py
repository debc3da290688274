"""
Reader of Hyperliquid's payloads: clearinghouseState, a single position of it, spotClearinghouseState.

`positionValue / |szi|` is the mark. `leverage.rawUsd` of an isolated position and `totalRawUsd` of the cross account
are money without the positions' value; `+ size x entry` makes them money without unrealised profit. `marginUsed` is
initial margin of a cross position, but equity (with unrealised profit) of an isolated one. One state belongs to one
dex: which, is told by its coins ("xyz:TSLA"). Null in `liquidationPx` means that no price above 0 liquidates.
"""

from decimal import Decimal

from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Product
from tocsin.venues.hyperliquid_tiers import dex_of
from tocsin.venues.reading import ACCOUNT, Draft, Fields, PayloadError, Reader

ONE = Decimal(1)
MODES = {"cross": Mode.CROSS, "isolated": Mode.ISOLATED}


def read_state(state: Fields, draft: Draft) -> None:
    """
    Read one dex's clearinghouse state: its cross money and its positions.
    """
    places = [read_position(item.inner("position"), draft) for item in state.each("assetPositions")]
    legs = [draft.legs[place] for place in places]
    dexes = {dex_of(leg.symbol) for leg in legs}
    if len(dexes) > 1:
        raise PayloadError(f"{state.where}: assetPositions must be of one dex, were of {', '.join(sorted(dexes))}")
    dex = next(iter(dexes), "")
    summary = state.inner("crossMarginSummary")
    amount = summary.number("totalRawUsd")
    for leg in legs:
        if leg.mode is Mode.CROSS and leg.entry is not None:
            amount = NUMBERS.add(amount, NUMBERS.multiply(leg.size, leg.entry))
    draft.add_balance(Balance(asset=f"USDC@{dex}" if dex else "USDC", amount=amount, price=ONE))
    if moment := state.optional_text("time"):
        draft.time = draft.time or moment
        draft.moments[f"clearinghouseState {dex}".strip()] = moment
    whole = state.inner("marginSummary") if "marginSummary" in state else summary
    used = state.optional("crossMaintenanceMarginUsed")
    _add_up(draft, "equity", whole.optional("accountValue"), "marginSummary.accountValue")
    _add_up(draft, "crossMaintenanceMarginUsed", used, "crossMaintenanceMarginUsed")
    _add_up(draft, "totalMarginUsed", whole.optional("totalMarginUsed"), "marginSummary.totalMarginUsed")
    _add_up(draft, "withdrawable", state.optional("withdrawable"), "withdrawable")


def _add_up(draft: Draft, quantity: str, value: Decimal | None, name: str) -> None:
    """
    Report a figure of the account: the sum over its dexes, each of which reports its own.
    """
    before = [f for f in draft.reported if f.leg == ACCOUNT and f.quantity == quantity]
    for figure in before:
        draft.reported.remove(figure)
        if value is not None and figure.value is not None:
            value = NUMBERS.add(value, figure.value)
    draft.report(ACCOUNT, quantity, value, f"{name} of all dexes" if before else name)


def read_wrapped(element: Fields, draft: Draft) -> None:
    """
    Read one entry of `assetPositions`: {"type": "oneWay", "position": {...}}.
    """
    read_position(element.inner("position"), draft)


def read_one(element: Fields, draft: Draft) -> None:
    """
    Read one position alone; the money behind a cross position is then unknown.
    """
    read_position(element, draft)


def read_position(element: Fields, draft: Draft) -> int:
    """
    Add a position and what the venue reports of it; return its place.
    """
    coin = element.text("coin")
    size = element.number("szi")
    if not size:
        raise PayloadError(f"{element.where}: szi must not be 0: {coin} is no position")
    mark = NUMBERS.divide(element.positive("positionValue"), abs(size))
    entry = element.optional_positive("entryPx")
    terms = element.inner("leverage")
    mode: Mode = terms.choice("type", MODES)
    collateral = None
    if entry is not None and terms.has("rawUsd"):
        collateral = NUMBERS.add(terms.number("rawUsd"), NUMBERS.multiply(size, entry))
    highest = element.optional_positive("maxLeverage")
    leg = Leg(
        symbol=coin,
        underlying=coin.rpartition(":")[2],
        product=Product.LINEAR,
        size=size,
        settle="USDC",
        entry=entry,
        mark=mark,
        leverage=terms.optional_positive("value"),
        mode=mode,
        isolated_collateral=collateral if mode is Mode.ISOLATED else None,
        initial_rate=None if highest is None else NUMBERS.divide(ONE, highest),
    )
    place = draft.add_leg(leg)
    if collateral is not None and mode is not Mode.ISOLATED:
        draft.set_aside[place] = collateral
    used = "initial" if mode is Mode.CROSS else f"marginUsed:{coin}"
    draft.report(place, used, element.optional("marginUsed"), "marginUsed")
    draft.report(place, "unrealised", element.optional("unrealizedPnl"), "unrealizedPnl")
    draft.report(place, "notional", element.optional("positionValue"), "positionValue")
    draft.report_price(place, element, "liquidationPx")
    draft.see_price(place, "positionValue / |szi|", mark)
    return place


def read_spot(state: Fields, draft: Draft) -> None:
    """
    Read spotClearinghouseState: which kind of account it is. A standard account's spot balances are no margin.

    In a unified or portfolio margin account they are, but the payload does not say whether they contain the profit of
    the positions, so that no money is taken from it.
    """
    for balance in state.each("balances"):
        balance.text("coin")
        balance.number("total")
    portfolio = state.flag("portfolioMarginEnabled") or state.has("portfolioMarginRatio")
    if portfolio:
        draft.rules = "hyperliquid-pm"
        draft.report(ACCOUNT, "ratio", state.optional("portfolioMarginRatio"), "portfolioMarginRatio")
    elif state.raw("tokenToAvailableAfterMaintenance"):
        draft.extra["unified"] = ONE
    elif state.each("balances"):
        draft.notes.append("spot balances are no margin of a standard account: left out")


def finish(draft: Draft) -> Draft:
    """
    Name the rulebook, isolated where every position is; take no money of a unified account from its perpetual states.
    """
    draft.venue = "hyperliquid"
    draft.valuation = "USDC"
    if draft.rules == "hyperliquid-pm" or "unified" in draft.extra:
        draft.balances.clear()
        draft.notes.append("unified or portfolio margin account: give its USDC without the positions' profit")
    if draft.rules:
        return draft
    if draft.legs and all(leg.mode is Mode.ISOLATED for leg in draft.legs) and not draft.balances:
        draft.rules = "hyperliquid-isolated"
    else:
        draft.rules = "hyperliquid"
    return draft


READERS = (
    Reader(
        venue="hyperliquid",
        endpoint="POST /info clearinghouseState",
        path=(),
        keys=("assetPositions", "crossMarginSummary"),
        read=read_state,
        holds="account",
    ),
    Reader(
        venue="hyperliquid",
        endpoint="clearinghouseState: assetPositions",
        path=(),
        keys=("position", "type"),
        read=read_wrapped,
    ),
    Reader(
        venue="hyperliquid",
        endpoint="clearinghouseState: position",
        path=(),
        keys=("coin", "szi", "positionValue"),
        read=read_one,
    ),
    Reader(
        venue="hyperliquid",
        endpoint="POST /info spotClearinghouseState",
        path=(),
        keys=("balances",),
        read=read_spot,
        holds="account",
        absent=("details", "assetPositions", "assets", "result", "data", "makerCommission", "accountType", "legs"),
    ),
)
