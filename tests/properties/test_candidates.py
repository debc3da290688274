"""
What winners and holders offer: never more than they can give.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import exact
from tests.helpers.strategies import A, B, worlds
from tocsin.engine.candidates import offer_lots, offer_money
from tocsin.margin.valuation import Valuation
from tocsin.procedures.liquidation.intent import Intent


@given(worlds(holds=False, rich=True), st.sampled_from(((A,), (B,), (A, B))), st.integers(0, 120), st.data())
def test_haircuts_of_all_assets_together_leave_equity_at_zero_or_above(world, wanted, percent, data):
    """Capacity is at most the profit and the balance in the asset, and all capacities together at most the equity."""
    sheet, marks, account = world
    # Give half the winners a debt in the other asset that eats most of their equity.
    if data.draw(st.booleans()):
        other = B if wanted[0] == A else A
        equity = exact.equity_exact(account, sheet, marks)
        price = exact.price_owed(sheet, marks, other)
        account.cash[other] = account.cash.get(other, 0) - max(0, int(equity * percent / 100 / price))
    valuation = Valuation(sheet, marks)
    offers = offer_money(0, account, valuation, dict.fromkeys(wanted, 1))
    balances = exact.balances(account, sheet, marks)
    assets = {c.id: c.asset for c in sheet.contracts}
    paid = account.copy()
    for offer in offers:
        profit = sum(
            q * (marks.contracts[c].mark - marks.contracts[c].funding) - e
            for c, (q, e) in account.positions.items()
            if assets[c] == offer.asset
        )
        assert offer.profit == profit > 0
        assert 0 < offer.capacity <= min(profit, balances[offer.asset])
        paid.cash[offer.asset] = paid.cash.get(offer.asset, 0) - offer.capacity
    if offers:
        assert exact.equity_exact(paid, sheet, marks) >= 0
    # One asset alone with equity to spare is offered whole.
    for asset in wanted[:1]:
        profit = sum(
            q * (marks.contracts[c].mark - marks.contracts[c].funding) - e
            for c, (q, e) in account.positions.items()
            if assets[c] == asset
        )
        most = min(profit, balances.get(asset, 0))
        worth = most * exact.price_owed(sheet, marks, asset)
        if most > 0 and exact.equity(account, sheet, marks) >= worth:
            assert offers
            assert offers[0].capacity == most


@given(worlds(holds=False), st.data())
def test_holders_offer_what_no_intent_has_reserved(world, data):
    sheet, marks, account = world
    wanted, intents, free = {}, [], {}
    for contract, (lots, _) in account.positions.items():
        wanted[contract] = data.draw(st.integers(-5, 5))
        part = data.draw(st.integers(0, abs(lots)))
        if part:
            intents.append(Intent(1, contract, -part if lots > 0 else part, 0, 0))
        if wanted[contract] * lots < 0 and part < abs(lots):
            free[contract] = abs(lots) - part
    offers = offer_lots(0, account, Valuation(sheet, marks), intents, {c: w for c, w in wanted.items() if w})
    assert {o.contract: o.lots for o in offers} == free
    for offer in offers:
        assert offer.equity == exact.equity(account, sheet, marks)
