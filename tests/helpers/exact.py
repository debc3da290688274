"""
The margin formulas once more, in fractions and without any shortcut, as a second opinion for tests.

Nothing here imports `tocsin.margin`: terms, marks and account states are only read.
"""

from fractions import Fraction
from math import ceil, floor

PPM = 1_000_000
PRICE = 1_000_000


def price_owed(sheet, marks, asset):
    """Return the price of one unit owed, in valuation units."""
    terms = next(a for a in sheet.assets if a.id == asset)
    return Fraction(marks.prices.get(asset, 0) or terms.price_cap, PRICE)


def balances(account, sheet, marks):
    """Return E_c per asset, in units."""
    terms = {c.id: c for c in sheet.contracts}
    out = dict(account.cash)
    for contract, (lots, entry) in account.positions.items():
        mark = marks.contracts[contract]
        asset = terms[contract].asset
        out[asset] = out.get(asset, 0) + lots * (mark.mark - mark.funding) - entry
    return out


def value(terms, price, owed, balance):
    """Return the value of a balance under its schedule: unit by unit, tier by tier."""
    if balance < 0:
        return balance * owed * Fraction(PPM + terms.premium_ppm, PPM)
    total = Fraction(0)
    for i, tier in enumerate(terms.haircuts):
        upper = terms.haircuts[i + 1].lower if i + 1 < len(terms.haircuts) else None
        top = balance if upper is None else min(balance, upper)
        total += max(0, top - tier.lower) * price * Fraction(PPM - tier.haircut_ppm, PPM)
    return total


def equity_exact(account, sheet, marks, *, haircuts=True):
    """Return equity, unrounded."""
    total = Fraction(0)
    for terms in sheet.assets:
        balance = balances(account, sheet, marks).get(terms.id, 0)
        price = Fraction(marks.prices.get(terms.id, 0), PRICE)
        owed = price_owed(sheet, marks, terms.id)
        if haircuts:
            total += value(terms, price, owed, balance)
        else:
            total += balance * (price if balance > 0 else owed)
    return total


def equity(account, sheet, marks, *, haircuts=True):
    """Return equity as the rulebook rounds it: down, once."""
    return floor(equity_exact(account, sheet, marks, haircuts=haircuts))


def tiered(terms, notional):
    """Return the tiered component by integrating the bracket rates, in units."""
    total = Fraction(0)
    for i, tier in enumerate(terms.tiers):
        upper = terms.tiers[i + 1].lower if i + 1 < len(terms.tiers) else None
        top = notional if upper is None else min(notional, upper)
        total += max(0, top - tier.lower) * Fraction(tier.rate_ppm, PPM)
    return total


def contract_need(sheet, marks, contract, lots, level):
    """Return the requirement of one contract, in valuation units, unrounded."""
    terms = next(c for c in sheet.contracts if c.id == contract)
    mark = marks.contracts[contract]
    notional = abs(lots * mark.mark)
    names = ("initial", "margin_call", "liquidation", "takeover")
    t = tiered(terms, notional) * Fraction(getattr(sheet.tiered, names[level]), PPM)
    per_lot = terms.charge_long if lots > 0 else terms.charge_short
    c = abs(lots) * per_lot * Fraction(getattr(sheet.charge, names[level]), PPM)
    total = t + c if terms.combine == 0 else max(t, c)
    if level == 0 and mark.grade != 0:
        total += notional * Fraction(terms.stale_half_band_ppm, PPM)
    return total * price_owed(sheet, marks, terms.asset)


def need_exact(account, sheet, marks, level):
    """Return the requirement of an account, unrounded; `initial` takes every contract at its worst hold."""
    total = Fraction(0)
    for contract in sorted({*account.positions, *(account.holds if level == 0 else ())}):
        lots = account.positions.get(contract, (0, 0))[0]
        bid, ask = account.holds.get(contract, (0, 0)) if level == 0 else (0, 0)
        total += max(contract_need(sheet, marks, contract, q, level) for q in (lots, lots + bid, lots - ask))
    return total


def need(account, sheet, marks, level):
    """Return the requirement as the rulebook rounds it: up, once."""
    return ceil(need_exact(account, sheet, marks, level))


def leave(account, sheet, marks, level):
    """Return the exit of a level: requirement plus hysteresis, rounded up once."""
    return ceil(need_exact(account, sheet, marks, level) * Fraction(PPM + sheet.hysteresis_ppm[level], PPM))


def level(account, sheet, marks, was):
    """Return the level from its definition, given the level the account was at."""
    if account.mode == 2:
        return 0
    have = equity(account, sheet, marks)
    if equity(account, sheet, marks, haircuts=False) < 0:
        return 5
    out = 0
    for i in range(4):
        if have < need(account, sheet, marks, i) or (was > i and have < leave(account, sheet, marks, i)):
            out = i + 1
    return out
