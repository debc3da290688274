"""
An OKX account's cross part: equity, needs and prices, now and with one underlying's price moved.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Balance, Leg, MissingInput, Mode, Portfolio, Product
from tocsin.venues.okx_isolated import total
from tocsin.venues.okx_legs import borrowed_of, need_of, option_value, unrealised_of
from tocsin.venues.okx_rates import ONE, OPTIONS, ZERO, Rates
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import entry_of, mark_of, profit_between


class Loan(msgspec.Struct, frozen=True):
    """Rates of a negative balance: margin as a fraction of the loan."""

    maintenance: Decimal
    initial: Decimal


class Sums(NamedTuple):
    """Equity, maintenance, closing fees and initial margin of a part of the account, in one unit."""

    equity: Decimal | None
    maintenance: Decimal
    fees: Decimal
    initial: Decimal | None

    def ratio(self) -> Decimal | None:
        """Return equity over maintenance and fees, None where nothing is needed or equity is unknown."""
        needed = self.maintenance + self.fees
        return None if self.equity is None or not needed else self.equity / needed


class Move(NamedTuple):
    """An underlying whose price goes to `factor` times the present one; "" for none."""

    coin: str = ""
    factor: Decimal = ONE

    def leg(self, leg: Leg) -> Decimal:
        """Return a leg's price."""
        return mark_of(leg) * self.factor if leg.underlying == self.coin else mark_of(leg)

    def asset(self, asset: str, price: Decimal) -> Decimal:
        """Return an asset's price."""
        return price * self.factor if asset == self.coin else price


NOW = Move()
"""No move: every price as it is."""


def _one(asset: str, move: Move) -> Decimal:  # noqa: ARG001
    return ONE


class Account:
    """
    The cross part of an account: what it is worth and what it needs, now and with one underlying's price moved.
    """

    def __init__(self, portfolio: Portfolio, params: Params) -> None:
        self.portfolio = portfolio
        self.params = params
        self.rates = Rates(params, portfolio.legs)
        self.legs = tuple(leg for leg in portfolio.legs if leg.mode is not Mode.ISOLATED)
        self.balances = {balance.asset: balance for balance in portfolio.balances}
        self.collateral: ParamSet = params.get("collateral")
        self._discounts = self.collateral.decode(dict[str, tuple[tuple[Decimal | None, Decimal], ...]], "discounts")
        self._loans = self.collateral.decode(dict[str, Loan], "borrowing")
        self._profits: dict[tuple[str, bool], Decimal] = {}
        self._known: dict[str, Sums] = {}
        self._by_coin: dict[str, list[Leg]] = {}
        for leg in self.legs:
            self._by_coin.setdefault(leg.underlying, []).append(leg)

    def needs(self, legs: Sequence[Leg], move: Move, unit: Callable[[str, Move], Decimal]) -> Sums:
        """
        Return what legs need, each amount times its settlement asset's price.
        """
        maintenance = fees = ZERO
        initials: list[Decimal | None] = []
        for leg in legs:
            need = need_of(leg, move.leg(leg), self.rates, self.portfolio.extra)
            price = unit(leg.settle, move)
            maintenance += (need.maintenance or ZERO) * price
            fees += need.closing * price
            initials.append(None if need.initial is None else need.initial * price)
        return Sums(None, maintenance, fees, total(initials))

    def moved_needs(self, name: str, legs: Sequence[Leg], move: Move, unit: Callable[[str, Move], Decimal]) -> Sums:
        """
        Return what legs need after a move: what they need now (kept under a name), with the moved legs' part exchanged.
        """
        if name not in self._known:
            self._known[name] = self.needs(legs, NOW, unit)
        now = self._known[name]
        if not move.coin:
            return now
        part = f"{name} {move.coin}"
        moved = [leg for leg in legs if move.coin in (leg.underlying, leg.settle)]
        if part not in self._known:
            self._known[part] = self.needs(moved, NOW, unit)
        before, after = self._known[part], self.needs(moved, move, unit)
        maintenance = now.maintenance - before.maintenance + after.maintenance
        return Sums(None, maintenance, now.fees - before.fees + after.fees, None)

    def profit(self, asset: str, move: Move, *, short_options_only: bool) -> Decimal:
        """
        Return profit and option value of the cross legs that settle in an asset, signed, in it.

        Raises:
            MissingInput: A contract's entry is absent.
        """
        key = (asset, short_options_only)
        if key not in self._profits:
            own = (self._profit(leg, short_options_only) for leg in self.legs if leg.settle == asset)
            self._profits[key] = sum(own, ZERO)
        return self._profits[key] + self.change(asset, move)

    def _profit(self, leg: Leg, short_options_only: bool) -> Decimal:
        if leg.product in OPTIONS:
            return ZERO if short_options_only and leg.size > 0 else option_value(leg)
        if leg.product is not Product.SPOT_MARGIN:
            entry_of(leg)
            return (unrealised_of(leg, mark_of(leg)) or ZERO) + leg.accrued_funding
        if short_options_only:
            raise VenueRefusal(f"{leg.symbol}: in multi-currency mode borrowed spot is a negative balance; give that")
        return self.borrowed_value(leg, NOW)

    def borrowed_value(self, leg: Leg, move: Move) -> Decimal:
        """
        Return what a borrowed spot position holds less what it owes, in its margin's currency.
        """
        found = borrowed_of(leg, self.portfolio.extra)
        price = move.leg(leg)
        return (found.held_in_quote(price) - found.owed_in_quote(price)) / found.unit_in_quote(price)

    def change(self, asset: str, move: Move) -> Decimal:
        """
        Return what the legs that settle in an asset gain by a move, in it; options are held at their mark.
        """
        result = ZERO
        for leg in self._by_coin.get(move.coin, ()):
            if leg.settle != asset or leg.product in OPTIONS:
                continue
            if leg.product is Product.SPOT_MARGIN:
                result += self.borrowed_value(leg, move) - self.borrowed_value(leg, NOW)
            else:
                result += profit_between(leg, mark_of(leg), move.leg(leg))
        return result

    def by_currency(self, asset: str, move: Move) -> Sums:
        """
        Return one settlement currency's sums, in it. Equity is None where neither balance nor equity is given.
        """
        legs = [leg for leg in self.legs if leg.settle == asset]
        need = self.moved_needs(asset, legs, move, _one)
        balance = self.balances.get(asset)
        held = self.portfolio.extra.get(f"held:{asset}", ZERO)
        others = (self.portfolio.other_maintenance or ZERO) if legs else ZERO
        if balance is not None:
            equity = balance.amount + self.profit(asset, move, short_options_only=False) - held
        elif self.portfolio.equity is not None and not self.balances:
            equity = self.portfolio.equity + self.change(asset, move)
        else:
            equity = None
        if equity is not None and legs:
            equity += self.portfolio.other_unrealised or ZERO
        return Sums(equity, need.maintenance + others, need.fees, need.initial)

    def together(self, move: Move) -> Sums:
        """
        Return the sums of multi-currency mode, USD.

        Raises:
            MissingInput: A price, a discount rate or the rates of a loan are absent.
        """
        need = self.moved_needs("", self.legs, move, self.price)
        maintenance, fees, initial = (
            need.maintenance + (self.portfolio.other_maintenance or ZERO),
            need.fees,
            need.initial,
        )
        if not self.balances:
            equity = self.portfolio.equity
            if equity is not None:
                for asset in {leg.settle for leg in self._by_coin.get(move.coin, ())}:
                    equity += self.change(asset, move) * self.price(asset, move)
            return Sums(equity, maintenance, fees, initial)
        adjusted = self.portfolio.other_unrealised or ZERO
        assets = {leg.settle for leg in self.legs} | set(self.balances)
        for asset in sorted(assets):
            price = self.price(asset, move)
            balance = self.balances.get(asset, Balance(asset=asset, amount=ZERO))
            amount = balance.amount + self.profit(asset, move, short_options_only=True)
            value = (amount - self.portfolio.extra.get(f"held:{asset}", ZERO)) * price
            adjusted += self.discount(asset, value)
            if value < 0:
                loan = self.loan(asset)
                maintenance += -value * loan.maintenance
                fees += -value * (ONE + loan.maintenance) * self.rates.account.number("fees", "spot_margin")
                initial = None if initial is None else initial - value * loan.initial
        return Sums(adjusted, maintenance, fees, initial)

    def price(self, asset: str, move: Move) -> Decimal:
        """
        Return an asset's price in USD: the balance's; the index of a leg on that coin; 1 for USD.
        """
        balance = self.balances.get(asset)
        if balance is not None and balance.price is not None:
            return move.asset(asset, balance.price)
        given = self.portfolio.extra.get(f"price:{asset}")
        if given is not None:
            return move.asset(asset, given)
        if asset == "USD":
            return ONE
        for leg in self.portfolio.legs:
            if leg.underlying == asset and (leg.index or leg.mark):
                return move.asset(asset, leg.index or mark_of(leg))
        raise MissingInput("price", f"balance {asset}: its price in USD (coinUsdPrice), to add it to other currencies")

    def discount(self, asset: str, value: Decimal) -> Decimal:
        """
        Return what USD value of an asset counts as: marginal discount tiers; a negative value in full.
        """
        if value <= 0:
            return value
        given = self.portfolio.extra.get(f"discount:{asset}")
        if given is not None:
            return value * given
        if asset not in self._discounts:
            raise MissingInput(
                f"extra['discount:{asset}']",
                f"no discount tiers of {asset} are shipped; give its rate of /public/discount-rate-interest-free-quota",
            )
        counted = start = ZERO
        for end, rate in self._discounts[asset]:
            stop = value if end is None else min(value, end)
            counted += max(stop - start, ZERO) * rate
            start = stop
        return counted

    def loan(self, asset: str) -> Loan:
        """
        Return the rates of a negative balance.
        """
        rate = self.portfolio.extra.get(f"borrow_mmr:{asset}")
        if rate is not None:
            return Loan(rate, self.portfolio.extra.get(f"borrow_imr:{asset}", rate))
        if asset not in self._loans:
            raise MissingInput(f"extra['borrow_mmr:{asset}']", f"no borrowing tiers of {asset} are shipped")
        return self._loans[asset]
