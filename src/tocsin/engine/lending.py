"""
Interest and conversions on the ClearingHouse's side (rules AC-036, AC-037, AC-039).

Rates follow from what all accounts owed and owned at the last close. What borrowers are charged comes into the interest
account at a close, and lenders are credited from it in the cycle after; it never falls below zero.
"""

from tocsin.accounts.money import INTEREST_SCALE
from tocsin.accounts.store import RowKind
from tocsin.core.ids import GLOBAL_FUND, INTEREST
from tocsin.core.integers import PPM, ceil_div, floor_div
from tocsin.engine import messages as ms
from tocsin.engine.house import HouseDesk
from tocsin.engine.losses import quote_conversion
from tocsin.sheet.terms import BorrowTerms

YEAR_NS = 365 * 86_400 * 10**9


def yearly_rate_ppm(terms: BorrowTerms, owed: int, owned: int) -> int:
    """
    Return the yearly rate at the utilisation owed / owned (at most 1), in ppm, rounded up: linear from 0 to the kink
    and from the kink to full.
    """
    if owed <= 0:
        return terms.rate_ppm
    used = PPM if owned <= 0 else min(PPM, ceil_div(owed * PPM, owned))
    if used <= terms.kink_ppm:
        return terms.rate_ppm + ceil_div((terms.rate_kink_ppm - terms.rate_ppm) * used, terms.kink_ppm)
    over = (terms.rate_full_ppm - terms.rate_kink_ppm) * (used - terms.kink_ppm)
    return terms.rate_kink_ppm + ceil_div(over, PPM - terms.kink_ppm)


def compute_interest(house: HouseDesk, elapsed_ns: int) -> dict[int, tuple[int, int]]:
    """
    Return per lent asset the charge and the credit of the cycle that opens, in 10^-12 of a balance: the charge rounded
    up, the credit rounded down so that lenders never get more than the interest account holds.
    """
    out: dict[int, tuple[int, int]] = {}
    for terms in sorted(house.sheet.assets, key=lambda a: a.id):
        owed, owned = house.state.balances.get(terms.id, (0, 0))
        if terms.borrow is None or not (owed or house.cash(INTEREST, terms.id)):
            continue
        rate = yearly_rate_ppm(terms.borrow, owed, owned)
        charge = ceil_div(rate * elapsed_ns * (INTEREST_SCALE // PPM), YEAR_NS)
        credit = floor_div(max(0, house.cash(INTEREST, terms.id)) * INTEREST_SCALE, owned) if owned else 0
        if charge or credit:
            out[terms.id] = charge, credit
    return out


def book_interest(house: HouseDesk, interest: dict[int, tuple[int, int]]) -> None:
    """
    Book what shards charged and credited; the reserve goes to the global fund, rounded down.
    """
    for asset, (charged, credited) in sorted(interest.items()):
        if charged or credited:
            house.row(RowKind.CASH, INTEREST, asset, charged - credited)
            terms = house.valuation.assets[asset].borrow
            reserve = floor_div(charged * terms.reserve_ppm, PPM) if terms is not None else 0
            house.move(asset, reserve, INTEREST, GLOBAL_FUND)
            house.note("interest", INTEREST, asset=asset, charged=charged, credited=credited, reserve=reserve)


def convert_debts(house: HouseDesk, asked: list[ms.Conversion]) -> list[ms.Decision]:
    """
    Sell collateral of accounts that owe too much to the global fund at the stressed price, as far as the fund holds
    what is owed: got rounded down, given rounded up, in (bucket, account, index) order (rule AC-039).
    """
    out: list[ms.Decision] = []
    spent: dict[int, int] = {}
    left: dict[tuple[int, int], int] = {}
    have: dict[tuple[int, int], int] = {}
    for ask in asked:
        need = left.setdefault((ask.account, ask.asset), ask.need)
        free = have.setdefault((ask.account, ask.collateral), ask.have)
        fund = house.cash(GLOBAL_FUND, ask.asset) - spent.get(ask.asset, 0)
        got, given = quote_conversion(house.valuation, ask.collateral, free, ask.asset, min(need, fund))
        if not got:
            continue
        left[ask.account, ask.asset] = need - got
        have[ask.account, ask.collateral] = free - given
        spent[ask.asset] = spent.get(ask.asset, 0) + got
        out.append(ms.Converted(ask.bucket, ask.account, ask.collateral, given, ask.asset, got))
    return out
