"""
Share out what markets can take: forced lots per contract and side, the default account's among them (rules CH-021,
CH-022).
"""

from tocsin.core.ids import default_account
from tocsin.core.integers import PPM, share_pro_rata
from tocsin.engine import messages as ms
from tocsin.engine.deleveraging import lots_wanted, unreserved_lots
from tocsin.engine.house import HouseDesk
from tocsin.procedures.liquidation.intent import Intent

MINUTE_NS = 60 * 10**9


def grant_lots(house: HouseDesk, requests: list[ms.Request]) -> list[ms.Decision]:
    """
    Share each market's capacity per side pro rata over what plans ask, the default account among them (CH-021).
    """
    out: list[ms.Decision] = []
    keys = {(r.contract, r.lots > 0) for r in requests}
    own = _house_requests(house)
    keys |= {(contract, lots > 0) for contract, lots in own.items()}
    expires = house.state.time_ns + house.sheet.liquidation.intent_life_ns
    for contract, buys in sorted(keys):
        asks = [r for r in requests if (r.contract, r.lots > 0) == (contract, buys)]
        house_lots = own.get(contract, 0) if (own.get(contract, 0) > 0) == buys else 0
        wanted = [abs(r.lots) for r in asks] + [abs(house_lots)]
        granted = share_pro_rata(
            min(_capacity(house, contract), sum(wanted)), wanted, first_extra=house.first_extra(contract)
        )
        for request, lots in zip(asks, granted[:-1], strict=True):
            if lots:
                number = house.state.cycle * 4096 + request.nth + 1
                signed = lots if buys else -lots
                out.append(ms.Grant(request.bucket, request.account, number, contract, signed, request.limit, expires))
        if granted[-1]:
            _open_house_intent(house, contract, granted[-1] if buys else -granted[-1], expires)
    return out


def _capacity(house: HouseDesk, contract: int) -> int:
    """Return the lots a side of a market takes in the time of the next nominal cycle, rounded down, at least 1."""
    line = house.valuation.lines[contract]
    elapsed = min(_last_step_ns(house), house.sheet.cycle.nominal_ns)
    return max(1, line.terms.capacity_lots * elapsed // MINUTE_NS) if line.terms.capacity_lots else 0


def _last_step_ns(house: HouseDesk) -> int:
    return max(1, house.state.time_ns - house.state.previous_ns)


def _house_requests(house: HouseDesk) -> dict[int, int]:
    """Return the signed lots of the default account that are fresh and not reserved yet."""
    out: dict[int, int] = {}
    for terms in house.sheet.contracts:
        lots = house.lots(default_account(terms.id), terms.id)
        if not lots or not house.valuation.lines[terms.id].fresh or terms.id in lots_wanted(house):
            continue
        free = unreserved_lots(house, terms.id)
        if free:
            out[terms.id] = -free
    return out


def _open_house_intent(house: HouseDesk, contract: int, lots: int, expires: int) -> None:
    line = house.valuation.lines[contract]
    give = line.notional * line.terms.impact_ppm // PPM
    limit = line.mark + give if lots > 0 else line.mark - give
    number = house.state.cycle * 4096 + contract + 1
    house.state.intents.append(Intent(number, contract, lots, limit, expires))
    house.note("house_intent", default_account(contract), intent=number, contract=contract, lots=lots, limit=limit)
