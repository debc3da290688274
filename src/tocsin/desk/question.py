"""
One figure in doubt: what was reported, what the rules give, and what the payload offers to tell the two apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tocsin.desk.account import Account
from tocsin.desk.worlds import EXACT, Unknown, World, own_value
from tocsin.venues.contract import NUMBERS, Evaluation, Leg, Mode, Product
from tocsin.venues.reading import ACCOUNT, Figure

ZERO, ONE = Decimal(0), Decimal(1)
IMPLIED = "implied by "
FAR_APART_S = 60
SLIGHT, SMALL = Decimal("1e-4"), Decimal("1e-3")
PLACES_MAX = 12
"""How many legs of an account are searched for the cause of one figure."""


@dataclass(frozen=True)
class Question:
    """
    A reported figure that the rules do not give to the digit.

    Attributes:
        account: The payload. figure: The reported one, its value not None.
        world: The account as read. evaluation: The rules' answer there. own: Their figure.
    """

    account: Account
    figure: Figure
    world: World
    evaluation: Evaluation
    own: Decimal

    @property
    def reported(self) -> Decimal:
        """
        Return the reported value.
        """
        assert self.figure.value is not None
        return self.figure.value

    @property
    def difference(self) -> Decimal:
        """
        Return reported less own, exactly.
        """
        return EXACT.subtract(self.reported, self.own)

    @property
    def is_slight(self) -> bool:
        """
        Tell whether the difference is below a hundredth of a percent: too little to tell one cause from another.
        """
        return abs(self.difference) <= abs(self.reported) * SLIGHT

    @property
    def is_small(self) -> bool:
        """
        Tell whether the difference is below a tenth of a percent: no other bracket or fee changes a margin so little.
        """
        return abs(self.difference) <= abs(self.reported) * SMALL

    @cached_property
    def noise(self) -> Decimal | None:
        """
        Return how far, relatively, the leg's next best figure is from ours: what the payload itself leaves unclear.

        None where the payload has no other margin, price or ratio of the leg.
        """
        found: list[Decimal] = []
        for quantity in ("initial", "maintenance", "liquidation", "ratio"):
            said = self.said(self.figure.leg, quantity)
            if quantity == self.figure.quantity or not said:
                continue
            try:
                own = own_value(self.evaluation, _named(quantity, self.figure.leg), self.world.portfolio)
            except Unknown:
                continue
            if own is not None:
                found.append(NUMBERS.divide(abs(EXACT.subtract(said, own)), abs(said)))
        return min(found, default=None)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """
        Return the legs whose inputs the figure may rest on: the leg's own first.
        """
        legs = self.world.portfolio.legs
        place = self.figure.leg
        if place != ACCOUNT and (self.figure.quantity != "liquidation" or legs[place].mode is Mode.ISOLATED):
            return (place,)
        rest = [i for i in range(len(legs)) if i != place]
        return tuple(rest if place == ACCOUNT else [place, *rest])[:PLACES_MAX]

    def leg(self, place: int) -> Leg:
        """
        Return a leg of the account as read.
        """
        return self.world.portfolio.legs[place]

    def said(self, place: int, quantity: str) -> Decimal | None:
        """
        Return another figure that the venue reports of a leg (or of the account), None if it does not.
        """
        return self.account.said(place, quantity)

    def try_value(self, name: str, world: World) -> Decimal | None:
        """
        Return the figure in another world, known under a name; None where there is none or the rule does not go there.
        """
        if world.portfolio is self.world.portfolio and world.params is self.world.params:
            return world.value(self.figure, self.evaluation)
        evaluation = self.account.evaluate(name, world)
        return None if evaluation is None else world.value(self.figure, evaluation)

    def prices(self, place: int) -> Iterator[tuple[str, Decimal]]:
        """
        Return every other price that the payload shows or implies for a leg's market, the named ones first.
        """
        leg = self.leg(place)
        seen = {leg.mark}
        named: list[tuple[str, Decimal | None]] = [("index", leg.index), ("entry", leg.entry)]
        named += self._shown(place, implied=False)
        implied = [*self._shown(place, implied=True), *self._computed(place)]
        for name, price in [*named, *implied]:
            if price is not None and price > 0 and price not in seen:
                seen.add(price)
                yield name, price

    def is_mixed(self, place: int) -> bool:
        """
        Tell whether the leg's time stamp lies more than a minute from another one of the payload.
        """
        far = self.account.spread_s > FAR_APART_S
        return far and (place == ACCOUNT or len(self.account.stamps) > 1)

    def _shown(self, place: int, *, implied: bool) -> list[tuple[str, Decimal | None]]:
        out: list[tuple[str, Decimal | None]] = []
        for name, price in self.account.reading.prices.get(place, {}).items():
            is_implied = "/" in name or " " in name
            if is_implied is implied:
                out.append((f"{IMPLIED}{name}" if implied else name, price))
        return out

    def _computed(self, place: int) -> Iterator[tuple[str, Decimal]]:
        leg = self.leg(place)
        units = NUMBERS.multiply(leg.size, leg.contract_size)
        if not units or leg.product not in (Product.LINEAR, Product.INVERSE):
            return
        inverse = leg.product is Product.INVERSE
        notional, profit = self.said(place, "notional"), self.said(place, "unrealised")
        if notional:
            parts = (abs(units), abs(notional))
            yield f"{IMPLIED}notional", NUMBERS.divide(*(parts if inverse else parts[::-1]))
        if profit is not None and leg.entry is not None:
            moved = NUMBERS.divide(profit, units)
            if not inverse:
                price = NUMBERS.add(leg.entry, moved)
                yield f"{IMPLIED}unrealised profit", price
                yield f"{IMPLIED}unrealised profit, its last digit open:", _roundest(price, quantum(profit), units)
            elif (rest := NUMBERS.subtract(NUMBERS.divide(ONE, leg.entry), moved)) > 0:
                yield f"{IMPLIED}unrealised profit", NUMBERS.divide(ONE, rest)
        yield from self._from_margins(place, leg, inverse)

    def implied_entry(self, place: int) -> Decimal | None:
        """
        Return the entry price at which the leg's unrealised profit at its mark would be the reported one; None if it
        is the one that is there, or is not known.
        """
        leg, profit = self.leg(place), self.said(place, "unrealised")
        units = NUMBERS.multiply(leg.size, leg.contract_size)
        if profit is None or not units or leg.mark is None or leg.entry is None:
            return None
        moved = NUMBERS.divide(profit, units)
        if leg.product is Product.LINEAR:
            price, room = NUMBERS.subtract(leg.mark, moved), NUMBERS.divide(quantum(profit), abs(units))
        elif leg.product is Product.INVERSE and (over := NUMBERS.add(NUMBERS.divide(ONE, leg.mark), moved)) > 0:
            price = NUMBERS.divide(ONE, over)
            room = NUMBERS.divide(NUMBERS.multiply(quantum(profit), price * price), abs(units))
        else:
            return None
        return price if price > 0 and abs(price - leg.entry) > room else None

    def _from_margins(self, place: int, leg: Leg, inverse: bool) -> Iterator[tuple[str, Decimal]]:
        """
        Return the price at which initial and maintenance margin would both be what is reported, if there is one.
        """
        if place >= len(self.evaluation.legs) or leg.mark is None:
            return
        margin = self.evaluation.legs[place]
        pairs = [(self.said(place, "initial"), margin.initial), (self.said(place, "maintenance"), margin.maintenance)]
        ratios = [NUMBERS.divide(said, own) for said, own in pairs if said and own]
        if len(ratios) < 2 or ratios[0] <= 0 or ratios[0] == ONE:
            return
        if abs(ratios[0] - ratios[1]) <= abs(ratios[0] - ONE) / 50:
            price = NUMBERS.divide(leg.mark, ratios[0]) if inverse else NUMBERS.multiply(leg.mark, ratios[0])
            yield f"{IMPLIED}initial and maintenance margin", price


def quantum(value: Decimal) -> Decimal:
    """
    Return the worth of a number's last printed digit, at most 1.
    """
    exponent = value.as_tuple().exponent
    return ONE.scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else ONE


def _roundest(price: Decimal, digit: Decimal, units: Decimal) -> Decimal:
    """
    Return the price with the fewest digits that moves the profit of `units` by no more than `digit`.
    """
    room = NUMBERS.divide(digit, abs(units))
    for places in range(12):
        rounded = price.quantize(ONE.scaleb(-places), context=NUMBERS)
        if abs(rounded - price) <= room:
            return rounded
    return price


def _named(quantity: str, place: int) -> Figure:
    return Figure(leg=place, quantity=quantity, value=None, field="")
