"""
Requirement: tiered, charge and scenario components, add-ons, factors per level, one rounding (rules RQ-001 to RQ-036).

Per contract and level the tiered part (millionths of a unit) and the charge part are scaled by their factors and put
together by sum or maximum as the sheet says; contracts add up. The scenario component of the whole account joins them
by sum or maximum; add-ons always add. The total is rounded up once, per account and level.
"""

from tocsin.core.integers import GAIN_PARTS, PPM, ceil_div
from tocsin.core.limits import PRICE_SCALE
from tocsin.margin.scenario import scenario_component
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Factors, Line, Valuation, close_at_mark, compute_gains, cost_above_bracket

LEG_SCALE = PPM * PPM * PRICE_SCALE
"""Denominator of what one contract requires by itself."""

SCALE = LEG_SCALE * GAIN_PARTS
"""Denominator of an account's requirement before its one rounding."""

INITIAL, MARGIN_CALL, LIQUIDATION, TAKEOVER = range(4)


def contract_requirement(line: Line, factors: Factors, lots: int, level: int, others: int = 0) -> int:
    """
    Return what signed `lots` of one contract require by themselves at `level` (0 initial to 3 takeover), x `LEG_SCALE`,
    exact: tiered and charge put together, without add-ons and scenarios.

    Convex in lots: both components are, and so are their sum and their maximum. `others` are the absolute lots of the
    owner's other accounts: the tiered part is what these lots cost above them (rule RQ-020).
    """
    tiered = line.tiered(lots, others) * factors.tiered[level]
    charge = line.charge(lots) * PPM * factors.charge[level]
    if line.summed:
        total = tiered + charge
    else:
        total = tiered if tiered > charge else charge
    return total * line.price


def contract_addon(line: Line, factors: Factors, lots: int, level: int, others: int = 0) -> int:
    """
    Return the add-ons of one contract at `level`, x `LEG_SCALE`, exact, convex in lots.

    Liquidity and gamma by their factor; at `initial` also the half band of a mark that is not fresh (rule RQ-006) and
    the distance to a slow mark, for the side that the faster one favours (rule RQ-026).
    """
    total = 0
    if not line.simple and factors.addon_counts:
        total = line.addon(lots, others) * factors.addon[level]
    if level == INITIAL:
        if not line.fresh:
            total += abs(lots) * line.notional * line.terms.stale_half_band_ppm * PPM
        if line.slow * lots > 0:
            total += line.slow * lots * PPM * PPM
    return total * line.price


def _worst_held(account: AccountState, line: Line, factors: Factors, contract: int) -> tuple[int, int]:
    """
    Return the initial requirement and add-ons of one contract, each at the worst of no order, all bids or all asks
    filled, x `LEG_SCALE`. By convexity no partial fill is worse (rule RQ-007).
    """
    lots = account.positions.get(contract, (0, 0))[0]
    others = account.others.get(contract, 0)
    bid, ask = account.holds.get(contract, (0, 0))
    sizes = {lots, lots + bid, lots - ask}
    return (
        max(contract_requirement(line, factors, size, INITIAL, others) for size in sizes),
        max(contract_addon(line, factors, size, INITIAL, others) for size in sizes),
    )


def concentration(account: AccountState, valuation: Valuation, *, held: bool = False) -> int:
    """
    Return the concentration add-on before factors, in valuation units x PPM, exact (rule RQ-022).

    Per underlying `f(|D| + o) - f(o)`: D is the account's delta, o that of the owner's other accounts. With `held` each
    contract is taken at the size that makes |D| largest.
    """
    total = 0
    for underlying in valuation.concentrated:
        low = high = 0
        for contract in {**account.positions, **account.holds} if held else account.positions:
            line = valuation.lines.get(contract)
            if line is None or line.terms.underlying != underlying:
                continue
            lots = account.positions.get(contract, (0, 0))[0]
            bid, ask = account.holds.get(contract, (0, 0)) if held else (0, 0)
            ends = ((lots - ask) * line.terms.delta, (lots + bid) * line.terms.delta)
            low, high = low + min(ends), high + max(ends)
        brackets = valuation.concentrated[underlying]
        total += cost_above_bracket(brackets, max(abs(low), abs(high)), account.others.get(-1 - underlying, 0))
    return total


def account_addon(account: AccountState, valuation: Valuation, factors: Factors, level: int) -> int:
    """
    Return the add-ons that no contract has by itself, x `SCALE`, exact: concentration, and at `initial` gains that the
    sheet discounts (rule RQ-027).
    """
    total = 0
    if valuation.concentrated and factors.addon[level]:
        found = concentration(account, valuation, held=level == INITIAL and bool(account.holds))
        total = found * factors.addon[level] * PRICE_SCALE * GAIN_PARTS
    if level == INITIAL and valuation.gain_discounts:
        for asset, gain in compute_gains(account, valuation).items():
            discount = valuation.gain_discounts.get(asset, 0)
            if discount and gain > 0:
                total += gain * discount * valuation.prices[asset] * PPM * GAIN_PARTS
    return total


def without_expiring(account: AccountState, valuation: Valuation) -> AccountState | None:
    """
    Return the account as it would be without the contracts about to expire, closed at their marks and without orders in
    them; None if it holds none (rule LC-006).
    """
    gone = [c for c in valuation.marks.expiring if c in account.positions]
    if not gone:
        return None
    rest = account.copy()
    for contract in gone:
        close_at_mark(rest, valuation.lines[contract], -rest.positions[contract][0])
        rest.holds.pop(contract, None)
    return rest


def sum_requirement(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return the requirement at `level`, x `SCALE`, exact.

    At `initial` and `margin_call` it is at least what the account needs without the contracts about to expire.
    """
    total = _sum_as_held(account, valuation, level)
    if level <= MARGIN_CALL and valuation.marks.expiring:
        rest = without_expiring(account, valuation)
        if rest is not None:
            return max(total, _sum_as_held(rest, valuation, level))
    return total


def _sum_as_held(account: AccountState, valuation: Valuation, level: int) -> int:
    factors, lines, positions = valuation.factors(account.mode), valuation.lines, account.positions
    total = extra = 0
    held = level == INITIAL and bool(account.holds)
    if held:
        for contract in {**positions, **account.holds}:
            if contract in lines:
                own, addon = _worst_held(account, lines[contract], factors, contract)
                total, extra = total + own, extra + addon
    else:
        for contract, (lots, _) in positions.items():
            line, others = lines[contract], account.others.get(contract, 0)
            total += contract_requirement(line, factors, lots, level, others)
            if not line.simple or level == INITIAL:
                extra += contract_addon(line, factors, lots, level, others)
    total, extra = total * GAIN_PARTS, extra * GAIN_PARTS
    if factors.scenario[level]:
        scenario = scenario_component(account, valuation, account.holds if held else None) * factors.scenario[level]
        total = total + scenario if factors.summed else max(total, scenario)
    if valuation.concentrated or valuation.gain_discounts:
        extra += account_addon(account, valuation, factors, level)
    return total + extra


def compute_requirement(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return the requirement at `level` in valuation units, >= 0, rounded up once (rule RQ-010).
    """
    return round_requirement(sum_requirement(account, valuation, level))


def compute_exit(account: AccountState, valuation: Valuation, level: int) -> int:
    """
    Return what equity must reach to leave `level`: requirement x (1 + hysteresis), rounded up once (rule LV-004).
    """
    return round_exit(sum_requirement(account, valuation, level), valuation, level)


def round_requirement(total: int) -> int:
    """
    Return the requirement of an exact sum (x `SCALE`), rounded up.
    """
    return ceil_div(total, SCALE)


def round_exit(total: int, valuation: Valuation, level: int) -> int:
    """
    Return the exit of an exact sum (x `SCALE`) at `level`, rounded up.
    """
    return ceil_div(total * (PPM + valuation.sheet.hysteresis_ppm[level]), SCALE * PPM)
