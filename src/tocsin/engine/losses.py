"""
How the ClearingHouse carries out the waterfall: claims, conversion, fund draws, loss sharing, ADL (rules WF-040 to
WF-054).

Money and lots are separate. Every amount moves between two accounts, so that each asset is conserved to the unit. The
suspense account's cash in an asset is collateral held for conversion less the claims not paid yet.
"""

from collections.abc import Callable

import msgspec

from tocsin.accounts.store import RowKind
from tocsin.core.ids import GLOBAL_FUND, SUSPENSE, default_account, error_account, market_fund
from tocsin.core.integers import PPM, ceil_div, floor_div, share_pro_rata
from tocsin.engine import messages as ms
from tocsin.engine.claims import NO_MARKET, STAND_IN, Claim, add_claim, all_claims, pay_claims, total_claims
from tocsin.engine.house import HouseDesk
from tocsin.margin.valuation import Valuation
from tocsin.procedures.waterfall.funds import Stage, share_stages
from tocsin.procedures.waterfall.scores import Candidate, rank_candidates
from tocsin.procedures.waterfall.sharing import share_deficit
from tocsin.sheet.terms import Allocation, ContractTerms, Kind


def _held(house: HouseDesk, asset: int) -> int:
    """Return the units of an asset that suspense holds for conversion."""
    return house.cash(SUSPENSE, asset) + all_claims(house.state.claims, asset)


def book_takeover(
    house: HouseDesk, takeover: ms.Takeover, weights: list[tuple[int, int]], stand_ins: list[ms.StandIn]
) -> list[ms.Recourse]:
    """
    Turn an account's cash into claims and income: convert collateral, let accounts with recourse stand in, charge what
    is missing to its markets by notional, leave what is over to their funds (rules WF-041 to WF-043, AC-040).

    `weights` are (contract, notional in valuation units scaled) of the positions taken over. Returns what accounts that
    stand in pay as the next cycle opens.
    """
    recourse: list[ms.Recourse] = []
    owed = {asset: -amount for asset, amount in takeover.cash if amount < 0}
    over = {asset: amount for asset, amount in takeover.cash if amount > 0}
    for asset in sorted(owed):
        for collateral in sorted(over):
            paid, given = convert(house, collateral, over[collateral], asset, owed[asset])
            owed[asset] -= paid
            over[collateral] -= given
    for entry in sorted(stand_ins):
        paid = min(entry.amount, owed.get(entry.asset, 0))
        if paid:
            owed[entry.asset] -= paid
            recourse.append(ms.Recourse(entry.bucket, entry.account, entry.asset, paid))
            claim = Claim(house.state.cycle, takeover.bucket, takeover.account, STAND_IN, entry.asset, paid)
            house.state.claims = add_claim(house.state.claims, claim)
            house.note("stand_in", entry.account, asset=entry.asset, amount=paid, loser=takeover.account)
    for asset, amount in sorted(owed.items()):
        for contract, part in _split(house, amount, weights):
            claim = Claim(house.state.cycle, takeover.bucket, takeover.account, contract, asset, part)
            house.state.claims = add_claim(house.state.claims, claim)
            house.note("claim", takeover.account, contract=contract, asset=asset, amount=part)
    if any(owed.values()) or recourse:
        return recourse
    for asset, amount in sorted(over.items()):
        for contract, part in _split(house, amount, weights):
            fund = GLOBAL_FUND if contract == NO_MARKET else market_fund(contract)
            house.move(asset, part, SUSPENSE, fund)
            house.note("fund_income", fund, asset=asset, amount=part, why=f"takeover of {takeover.account}")
    return recourse


def _split(house: HouseDesk, amount: int, weights: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not amount:
        return []
    if not any(w for _, w in weights):
        return [(NO_MARKET, amount)]
    parts = share_pro_rata(amount, [w for _, w in weights], first_extra=house.first_extra(weights[0][0]))
    return [(contract, part) for (contract, _), part in zip(weights, parts, strict=True) if part]


def quote_conversion(valuation: Valuation, collateral: int, have: int, asset: int, most: int) -> tuple[int, int]:
    """
    Return what up to `have` units of `collateral` buy of `asset` at the stressed price, at most `most` units, and what
    is given for it: got rounded down, given rounded up; nothing where there is nothing to sell, to buy, or no price.
    """
    price = valuation.prices[collateral] * (PPM - valuation.assets[collateral].stress_ppm)
    if have <= 0 or most <= 0 or price == 0:
        return 0, 0
    target = valuation.price_owed(asset) * PPM
    got = min(most, floor_div(have * price, target))
    return got, ceil_div(got * target, price)


def convert(house: HouseDesk, collateral: int, have: int, asset: int, need: int) -> tuple[int, int]:
    """
    Sell up to `have` units of `collateral` in suspense to the global fund for up to `need` units of `asset` at the
    stressed price; return (units got, units given), got rounded down and given rounded up (rule WF-041).

    Limited by what the fund holds in `asset`; what it cannot buy stays in suspense and is tried again each cycle.
    """
    fund = house.cash(GLOBAL_FUND, asset)
    got, given = quote_conversion(house.valuation, collateral, have, asset, min(need, fund))
    if not got:
        return 0, 0
    house.move(asset, got, GLOBAL_FUND, SUSPENSE)
    house.move(collateral, given, SUSPENSE, GLOBAL_FUND)
    house.note("converted", collateral=collateral, given=given, asset=asset, got=got)
    return got, given


def settle(house: HouseDesk) -> None:
    """
    Sweep the error and default accounts, convert what suspense holds, draw claims from the funds (WF-044 to WF-047).
    """
    for terms in house.sheet.contracts:
        if terms.id in house.valuation.lines:
            if terms.kind == Kind.SPOT:
                _sweep_base(house, terms)
            _sweep(house, terms.id, error_account(terms.id))
            _move_error_lots(house, terms.id)
            _sweep(house, terms.id, default_account(terms.id))
    _convert_held(house)
    for asset in sorted({c.asset for c in house.state.claims}):
        _draw_funds(house, asset)
    _close_settled_funds(house)


def _close_settled_funds(house: HouseDesk) -> None:
    """Leave the fund of a settled market to the global fund, once nothing is claimed on that market (rule LC-015)."""
    claimed = {c.contract for c in house.state.claims}
    for contract in house.state.settled:
        state = house.store.read(market_fund(contract))
        if contract in claimed or state is None:
            continue
        for asset, amount in sorted(state.cash.items()):
            house.move(asset, amount, market_fund(contract), GLOBAL_FUND)
            house.note("fund_income", GLOBAL_FUND, asset=asset, amount=amount, why=f"market {contract} is settled")


def _sweep_base(house: HouseDesk, terms: ContractTerms) -> None:
    """Clear what spot fills nobody could book left in base units: to suspense, or a claim on the market (WF-046)."""
    account = error_account(terms.id)
    left = house.cash(account, terms.base)
    if left:
        house.move(terms.base, left, account, SUSPENSE)
    if left < 0:
        claim = Claim(house.state.cycle, -1, 0, terms.id, terms.base, -left)
        house.state.claims = add_claim(house.state.claims, claim)
        house.note("claim", account, contract=terms.id, asset=terms.base, amount=-left)


def _sweep(house: HouseDesk, contract: int, account: int) -> None:
    """Pay out an own account's P&L: income of the market's fund, or a new claim on the market (rule WF-044)."""
    line = house.valuation.lines[contract]
    state = house.store.read(account)
    if state is None:
        return
    lots, entry = state.positions.get(contract, (0, 0))
    ages = {c: a for c, a in house.state.lots_age.items() if c != contract}
    if account == default_account(contract):
        if lots:
            ages[contract] = house.state.lots_age.get(contract, 0) + 1
        house.state.lots_age = ages
    result = state.cash.get(line.asset, 0) + lots * line.net - entry
    if result == 0:
        return
    house.row(RowKind.CASH, account, line.asset, -result)
    if result < 0:
        house.row(RowKind.CASH, SUSPENSE, line.asset, result)
        claim = Claim(house.state.cycle, -1, 0, contract, line.asset, -result)
        house.state.claims = add_claim(house.state.claims, claim)
        house.note("claim", account, contract=contract, asset=line.asset, amount=-result)
        return
    back = min(result, sum(c.amount for c in house.state.claims if (c.contract, c.asset) == (contract, line.asset)))
    house.row(RowKind.CASH, SUSPENSE, line.asset, back)
    house.state.claims = pay_claims(house.state.claims, line.asset, back, contract)
    house.row(RowKind.CASH, market_fund(contract), line.asset, result - back)
    house.note("fund_income", market_fund(contract), asset=line.asset, amount=result, to_claims=back, why="house P&L")


def _move_error_lots(house: HouseDesk, contract: int) -> None:
    """Hand the error account's lots to the default account at mark, so that one account trades them away (WF-045)."""
    lots = house.lots(error_account(contract), contract)
    if lots:
        mark = house.valuation.lines[contract].mark
        house.row(RowKind.TRADE, error_account(contract), contract, -lots, -lots * mark)
        house.row(RowKind.TRADE, default_account(contract), contract, lots, lots * mark)
        house.note("error_moved", default_account(contract), contract=contract, lots=lots)


def _convert_held(house: HouseDesk) -> None:
    """Use collateral in suspense: for claims in itself, by conversion, else (no claims at all) for the global fund."""
    for collateral in sorted(house.valuation.assets):
        held = _held(house, collateral)
        if held <= 0:
            continue
        own = min(held, total_claims(house.state.claims, collateral))
        house.state.claims = pay_claims(house.state.claims, collateral, own)
        held -= own
        for asset in sorted({c.asset for c in house.state.claims} - {collateral}):
            paid, given = convert(house, collateral, held, asset, total_claims(house.state.claims, asset))
            house.state.claims = pay_claims(house.state.claims, asset, paid)
            held -= given
        if held and not house.state.claims:
            house.move(collateral, held, SUSPENSE, GLOBAL_FUND)
            house.note("fund_income", GLOBAL_FUND, asset=collateral, amount=held, why="collateral left over")


def _draw_funds(house: HouseDesk, asset: int) -> None:
    """
    Draw the claims of an asset: each market's from its fund up to the draw cap of the cycle, then all of them pro rata
    from the global fund up to its cap (rule WF-047).
    """
    policy = house.sheet.waterfall
    for contract in sorted({c.contract for c in house.state.claims if c.asset == asset and c.contract >= 0}):
        _draw(house, asset, market_fund(contract), policy.market_draw_cap_ppm, lambda c, k=contract: c.contract == k)
    _draw(house, asset, GLOBAL_FUND, policy.global_draw_cap_ppm, lambda c: c.contract != STAND_IN)


def _draw(house: HouseDesk, asset: int, fund: int, cap_ppm: int, mine: Callable[[Claim], bool]) -> None:
    claims = house.state.claims
    at = [i for i, c in enumerate(claims) if c.asset == asset and mine(c)]
    balance = max(0, house.cash(fund, asset))
    stage = Stage(fund, balance, floor_div(balance * cap_ppm, PPM))
    shared = share_stages([claims[i].amount for i in at], [stage], first_extra=house.first_extra(fund))
    paid = sum(shared.draws[0])
    if not paid:
        return
    left = dict(zip(at, shared.remainders, strict=True))
    house.move(asset, paid, fund, SUSPENSE)
    house.state.claims = [
        msgspec.structs.replace(c, amount=left.get(i, c.amount)) for i, c in enumerate(claims) if left.get(i, c.amount)
    ]
    house.note("fund_draw", fund, asset=asset, amount=paid, balance=balance, cap=stage.available)


def money_wanted(claims: list[Claim], decisions: tuple[ms.Decision, ...]) -> dict[int, int]:
    """
    Return the units per asset that no fund paid and no pending debit covers: winners are asked for them.
    """
    out: dict[int, int] = {}
    for claim in claims:
        if claim.contract != STAND_IN:
            out[claim.asset] = out.get(claim.asset, 0) + claim.amount
    for decision in decisions:
        if isinstance(decision, ms.Debit):
            out[decision.asset] -= decision.amount
    return {asset: units for asset, units in sorted(out.items()) if units > 0}


def share_losses(house: HouseDesk, offered: list[ms.MoneyCandidate]) -> list[ms.Decision]:
    """
    Share what is still missing per asset over the winners that reported gains (rules WF-050 to WF-054).

    Limited to the exact deficit and to min(profit, balance) of each; what they cannot carry stays a claim.
    """
    out: list[ms.Decision] = []
    policy = house.sheet.waterfall
    for asset in sorted({o.asset for o in offered}):
        deficit = total_claims(house.state.claims, asset)
        winners = [o for o in offered if o.asset == asset]
        if policy.money == Allocation.QUEUE:
            rank = [
                Candidate(w.bucket, w.account, 0, w.profit, max(1, w.notional - w.profit), w.notional, w.equity)
                for w in winners
            ]
            winners = [winners[i] for i in rank_candidates(rank)]
        amounts = share_deficit(
            policy.money,
            deficit,
            [w.profit for w in winners],
            [w.capacity for w in winners],
            remainder=policy.remainder,
            first_extra=house.first_extra(asset),
        )
        for winner, amount in zip(winners, amounts, strict=True):
            if amount:
                out.append(ms.Debit(winner.bucket, winner.account, asset, amount))
        paid = sum(amounts)
        if deficit:
            house.note(
                "loss_shared",
                asset=asset,
                deficit=deficit,
                shared=paid,
                winners=len(winners),
                payers=sum(1 for a in amounts if a),
                largest_ppm=max((a * PPM // w.profit for a, w in zip(amounts, winners, strict=True)), default=0),
            )
    return sorted(out, key=lambda d: (d.bucket, d.account))
