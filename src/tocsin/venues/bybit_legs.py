"""
One Bybit contract: value, margins with the fee to close, orders; hedged pairs; its requirement at another price.

Value and profit are in the settlement asset. Which price values a position (mark or entry) is a dated rule: entry
before 2025-09-02, mark since, but for the initial margin of isolated positions. The fee to close is reserved at the
bankruptcy price of the entry: linear `size x entry x (1 - s / L) x fee`, inverse `size / entry x (1 + s / L) x fee`,
s = +1 long, -1 short, L the leverage; it is part of both margins.
"""

from dataclasses import dataclass
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_tables import find_fee, find_table, to_settle
from tocsin.venues.contract import Basis, Leg, LegMargin, LiquidationPrice, MissingInput, Mode, Product
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import entry_of, mark_of, notional_at, price_of_notional, profit_between
from tocsin.venues.tiers import TierTable

ZERO, ONE = Decimal(0), Decimal(1)
FORMULA = (
    "maintenance = value x rate - deduction + fee to close; initial = value / leverage + fee to close; "
    "value at the {price} price"
)


@dataclass(slots=True)
class Valued:
    """
    One leg at its mark, amounts >= 0 in `asset`. `charged` is the part of its value that pays the rate (0 to 1).

    `valued_at` is the price that values maintenance: None for "the mark, wherever it goes", else the entry.
    """

    leg: Leg
    asset: str
    mark: Decimal
    initial: Decimal
    fee: Decimal
    fee_rate: Decimal
    orders: Decimal
    profit: Decimal | None
    table: TierTable
    source: ParamSet | None
    complete: bool
    valued_at: Decimal | None
    charged: Decimal = ONE
    note: str = ""

    def value_at(self, price: Decimal) -> Decimal:
        """
        Return the value that pays the maintenance rate when the market stands at a price.
        """
        return notional_at(self.leg, self.valued_at or price) * self.charged

    def maintenance_at(self, price: Decimal) -> Decimal:
        """
        Return maintenance when the market stands at a price, with the bracket there and the fee to close.
        """
        return self.table.charge(self.value_at(price)).amount + self.fee

    def is_known_at(self, price: Decimal) -> bool:
        """
        Tell whether the brackets reach to the value at a price; those of a capture that was cut may not.
        """
        return self.complete or not self.table.charge(self.value_at(price)).is_beyond

    def edges(self) -> list[Decimal]:
        """
        Return the prices at which the bracket changes.
        """
        share = self.charged
        if self.valued_at is not None or not self.leg.size or not share:
            return []
        return [price_of_notional(self.leg, edge / share) for edge in self.table.edges()]


def value_leg(leg: Leg, params: Params) -> Valued:
    """
    Return one linear or inverse leg at its mark.

    Raises:
        MissingInput: No mark, no entry, no brackets, or a value beyond brackets that are not complete.
    """
    rules = params.get("rules")
    isolated = leg.mode is Mode.ISOLATED
    initial_by: str = rules.get("isolated_initial" if isolated else "cross")
    maintenance_by: str = rules.get("isolated_maintenance" if isolated else "cross")
    mark, entry = mark_of(leg), entry_of(leg)
    table, source, complete = find_table(leg, params)
    v = Valued(
        leg=leg,
        asset=to_settle(leg),
        mark=mark,
        initial=ZERO,
        fee=ZERO,
        fee_rate=find_fee(leg, params),
        orders=ZERO,
        profit=profit_between(leg, entry, mark),
        table=table,
        source=source,
        complete=complete,
        valued_at=entry if maintenance_by == "entry" else None,
    )
    if not v.is_known_at(mark):
        cap, value = table.tiers[-1].cap, v.value_at(mark)
        why = f"shipped risk limits of {leg.symbol} end at {cap:f}; the position is worth {value:.8g}; give its rate"
        raise MissingInput("maintenance_rate", why)
    value = notional_at(leg, entry if initial_by == "entry" else mark)
    rate = find_initial_rate(leg, table, value)
    v.fee = closing_fee(leg, rate, v.fee_rate)
    v.initial = value * rate + v.fee
    v.orders = _order_margin(leg, v.initial, rate, v.fee_rate)
    return v


def find_initial_rate(leg: Leg, table: TierTable, value: Decimal) -> Decimal:
    """
    Return initial margin as a fraction of value: 1 / leverage, else the least that the bracket allows.
    """
    if leg.leverage is not None and leg.leverage < 1:
        raise VenueRefusal(f"{leg.symbol}: leverage must be 1 or more, was {leg.leverage}")
    rate = table.initial_rate(value) if leg.leverage is None else ONE / leg.leverage
    if rate is None:
        raise MissingInput("leverage", f"the initial margin of {leg.symbol} needs it, and so does the fee to close")
    return rate


def closing_fee(leg: Leg, rate: Decimal, fee_rate: Decimal) -> Decimal:
    """
    Return the fee to close at the bankruptcy price of the entry, >= 0; `rate` is 1 / leverage.
    """
    side = 1 if leg.size > 0 else -1
    if leg.product is Product.INVERSE:
        side = -side
    return notional_at(leg, entry_of(leg)) * max(1 - side * rate, ZERO) * fee_rate


def pair_legs(long: Valued, short: Valued) -> None:
    """
    Let the two sides of one symbol in cross margin hedge each other: only the larger side's surplus pays the rate.

    The larger side (equal: the long one) carries its initial margin and both fees to close, the smaller one nothing
    but its orders.
    """
    larger, smaller = (long, short) if abs(long.leg.size) >= abs(short.leg.size) else (short, long)
    if not smaller.leg.size:
        return
    larger.charged = ONE - abs(smaller.leg.size / larger.leg.size)
    larger.initial += smaller.fee
    larger.fee += smaller.fee
    smaller.initial = smaller.fee = smaller.charged = ZERO
    larger.note = smaller.note = f"hedged pair: the {'long' if larger is long else 'short'} side carries both fees"


def _order_margin(leg: Leg, position: Decimal, rate: Decimal, fee_rate: Decimal) -> Decimal:
    """
    Return what resting orders add to initial margin, >= 0: the dearer side counts, orders that only close are free.

    An opening order reserves value / leverage and the fees to open and to close, at its own price.
    """
    if not leg.order_buy and not leg.order_sell:
        return ZERO
    price = leg.order_price or mark_of(leg)

    def margin(contracts: Decimal, side: int) -> Decimal:
        value = abs(leg.contract_size * contracts)
        value = value / price if leg.product is Product.INVERSE else value * price
        turn = -side if leg.product is Product.INVERSE else side
        return value * (rate + fee_rate + max(1 - turn * rate, ZERO) * fee_rate)

    if leg.hedge_side == "long":
        return margin(leg.order_buy, 1)
    if leg.hedge_side == "short":
        return margin(leg.order_sell, -1)
    held = {1: max(leg.size, ZERO), -1: max(-leg.size, ZERO)}
    buys = position * (1 if leg.size > 0 else 0) + margin(max(leg.order_buy - held[-1], ZERO), 1)
    sells = position * (1 if leg.size < 0 else 0) + margin(max(leg.order_sell - held[1], ZERO), -1)
    return max(buys, sells, position) - position


def margin_of(v: Valued, liquidation: LiquidationPrice | None, *notes: str) -> LegMargin:
    """
    Return the leg's margins with the record of what they rest on.
    """
    value = v.value_at(v.mark)
    charge = v.table.charge(value)
    formula = FORMULA.format(price="mark" if v.valued_at is None else "entry")
    said = [v.note] if v.note else []
    if charge.is_beyond:
        said.append(f"the position is beyond the last risk limit ({charge.tier.cap:f}); its rate goes on")
    if v.source is None:
        basis = Basis(formula=formula, params="given with the position", params_date="", source="the payload",
                      notes=(*said, *notes))  # fmt: skip
    else:
        basis = v.source.basis(formula, *said, *notes)
    return LegMargin(
        symbol=v.leg.symbol,
        unit=v.asset,
        notional=notional_at(v.leg, v.mark),
        initial=v.initial + v.orders,
        maintenance=v.maintenance_at(v.mark),
        unrealised=v.profit,
        rate=charge.rate,
        tier=charge.tier.number if v.source is not None else None,
        fees=v.fee,
        orders=v.orders,
        liquidation=liquidation,
        basis=basis,
    )
