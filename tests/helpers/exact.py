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


LEVELS = ("initial", "margin_call", "liquidation", "takeover")


def brackets(tiers, notional):
    """Return what brackets cost by integrating their rates."""
    total = Fraction(0)
    for i, tier in enumerate(tiers):
        upper = tiers[i + 1].lower if i + 1 < len(tiers) else None
        top = notional if upper is None else min(notional, upper)
        total += max(0, top - tier.lower) * Fraction(tier.rate_ppm, PPM)
    return total


def tiered(terms, notional):
    """Return the tiered component, in units."""
    return brackets(terms.tiers, notional)


def components(sheet, account):
    """Return the components of the account's mode."""
    return sheet.portfolio if account is not None and account.mode == 3 and sheet.portfolio else sheet.components


def factor(component, level):
    return Fraction(getattr(component, LEVELS[level]), PPM)


def beyond(sheet, marks, terms):
    """Return how far the underlying of a contract is beyond its band, as a fraction of its reference in whole ppm."""
    for u in sheet.underlyings:
        if u.id == terms.underlying and u.contract in marks.contracts:
            outside = max(0, abs(marks.contracts[u.contract].mark - u.reference) - u.band)
            return Fraction(ceil(Fraction(outside * PPM, abs(u.reference))), PPM) if outside else Fraction(0)
    return Fraction(0)


def contract_need(sheet, marks, contract, lots, level, account=None):
    """Return the tiered and charge requirement of one contract, in valuation units, unrounded."""
    terms = next(c for c in sheet.contracts if c.id == contract)
    mark = marks.contracts[contract]
    used = components(sheet, account)
    others = account.others.get(contract, 0) if account is not None else 0
    own, rest = abs(lots * mark.mark), abs(others * mark.mark)
    t = (brackets(terms.tiers, own + rest) - brackets(terms.tiers, rest)) * factor(used.tiered, level)
    per_lot = terms.charge_long if lots > 0 else terms.charge_short
    c = abs(lots) * per_lot * factor(used.charge, level)
    total = t + c if terms.combine == 0 else max(t, c)
    return total * price_owed(sheet, marks, terms.asset)


def contract_addon(sheet, marks, contract, lots, level, account=None):
    """Return the add-ons of one contract, in valuation units, unrounded."""
    terms = next(c for c in sheet.contracts if c.id == contract)
    mark = marks.contracts[contract]
    others = account.others.get(contract, 0) if account is not None else 0
    own, rest = abs(lots * mark.mark), abs(others * mark.mark)
    total = abs(lots) * terms.gamma * beyond(sheet, marks, terms)
    if terms.liquidity:
        total += brackets(terms.liquidity, own + rest) - brackets(terms.liquidity, rest)
    total *= factor(components(sheet, account).addon, level)
    if level == 0:
        if mark.grade != 0:
            total += own * Fraction(terms.stale_half_band_ppm, PPM)
        if mark.slow:
            total += max(0, lots * (mark.mark - mark.slow))
    return total * price_owed(sheet, marks, terms.asset)


def sizes(account, contract, level):
    """Return the lots a contract is taken at: at `initial` as held, with all bids, with all asks filled."""
    lots = account.positions.get(contract, (0, 0))[0]
    bid, ask = account.holds.get(contract, (0, 0)) if level == 0 else (0, 0)
    return lots, lots + bid, lots - ask


def scenario_need(account, sheet, marks, level):
    """Return the scenario component before its factor, in valuation units, unrounded."""
    width = len(sheet.scenarios)
    terms = {c.id: c for c in sheet.contracts}
    held = [c for c in sorted({*account.positions, *(account.holds if level == 0 else ())}) if c in marks.contracts]
    have = balances(account, sheet, marks)
    pnl = {u.id: [Fraction(0)] * width for u in sheet.underlyings}
    for s in range(width):
        for contract in held:
            array = terms[contract].array
            if array:
                worst = min(q * array[s] for q in sizes(account, contract, level))
                pnl[terms[contract].underlying][s] += worst * price_owed(sheet, marks, terms[contract].asset)
        for asset in sheet.assets:
            if asset.row:
                balance = have.get(asset.id, 0)
                price = Fraction(marks.prices.get(asset.id, 0), PRICE) if balance > 0 else None
                price = price_owed(sheet, marks, asset.id) if price is None else price
                pnl[asset.underlying][s] += balance * price * Fraction(asset.row[s], PPM)
    if not width:
        return Fraction(0)
    gains = {u.id: Fraction(u.gain_256, 256) for u in sheet.underlyings}
    joint = [sum((v[s] if v[s] < 0 else v[s] * gains[u]) for u, v in pnl.items()) for s in range(width)]
    alone = sum(max(Fraction(0), -min(v)) for v in pnl.values())
    return max(Fraction(0), -min(joint), alone * Fraction(sheet.alone_256, 256))


def concentration_need(account, sheet, marks, level):
    """Return the concentration add-on before its factor, in valuation units, unrounded."""
    terms = {c.id: c for c in sheet.contracts}
    held = sorted({*account.positions, *(account.holds if level == 0 else ())})
    total = Fraction(0)
    for u in sheet.underlyings:
        if u.concentration:
            mine = [c for c in held if c in marks.contracts and terms[c].underlying == u.id]
            ends = [[q * terms[c].delta for q in sizes(account, c, level)] for c in mine]
            reach = max(abs(sum(min(e) for e in ends)), abs(sum(max(e) for e in ends)))
            rest = account.others.get(-1 - u.id, 0)
            total += brackets(u.concentration, reach + rest) - brackets(u.concentration, rest)
    return total


def discount_need(account, sheet, marks):
    """Return the unrealised gains that do not count at `initial`, in valuation units, unrounded."""
    terms = {c.id: c for c in sheet.contracts}
    total = Fraction(0)
    for asset in sheet.assets:
        gain = 0
        for contract, (lots, entry) in account.positions.items():
            if terms[contract].asset == asset.id:
                mark = marks.contracts[contract]
                gain += lots * (mark.mark - mark.funding) - entry
        price = Fraction(marks.prices.get(asset.id, 0), PRICE)
        total += max(0, gain) * price * Fraction(asset.gain_discount_ppm, PPM)
    return total


def need_as_held(account, sheet, marks, level):
    """Return the requirement of an account, unrounded; `initial` takes every contract at its worst hold."""
    used = components(sheet, account)
    own = addons = Fraction(0)
    for contract in sorted({*account.positions, *(account.holds if level == 0 else ())}):
        if contract in marks.contracts:
            at = sizes(account, contract, level)
            own += max(contract_need(sheet, marks, contract, q, level, account) for q in at)
            addons += max(contract_addon(sheet, marks, contract, q, level, account) for q in at)
    scenario = scenario_need(account, sheet, marks, level) * factor(used.scenario, level)
    total = own + scenario if used.combine == 0 else max(own, scenario)
    addons += concentration_need(account, sheet, marks, level) * factor(used.addon, level)
    if level == 0:
        addons += discount_need(account, sheet, marks)
    return total + addons


def need_exact(account, sheet, marks, level):
    """Return the requirement of an account, unrounded, with the look-ahead before expiry."""
    total = need_as_held(account, sheet, marks, level)
    gone = [c for c in marks.expiring if c in account.positions]
    if level > 1 or not gone:
        return total
    rest = account.copy()
    terms = {c.id: c for c in sheet.contracts}
    for contract in gone:
        lots, entry = rest.positions.pop(contract)
        mark, asset = marks.contracts[contract], terms[contract].asset
        rest.cash[asset] = rest.cash.get(asset, 0) + lots * (mark.mark - mark.funding) - entry
        rest.holds.pop(contract, None)
    return max(total, need_as_held(rest, sheet, marks, level))


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
