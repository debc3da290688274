"""
Claims: losses that no stage has paid yet, as a list that is added to and paid from (rules WF-040 to WF-044).
"""

import msgspec

NO_MARKET = -1
"""Contract of a claim that no market caused: only the global fund stands before the winners."""

STAND_IN = -2
"""Contract of a claim that another account of the loser's root will pay as the next cycle opens: no stage draws it."""


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """A loss of `account` (0: the default account) in `asset`, charged to a market, `amount` > 0 units still unpaid."""

    cycle: int
    bucket: int
    account: int
    contract: int
    asset: int
    amount: int


def total_claims(claims: list[Claim], asset: int) -> int:
    """Return the unpaid units of an asset that nobody stands in for."""
    return sum(c.amount for c in claims if c.asset == asset and c.contract != STAND_IN)


def all_claims(claims: list[Claim], asset: int) -> int:
    """Return all unpaid units of an asset, those that somebody stands in for among them."""
    return sum(c.amount for c in claims if c.asset == asset)


def add_claim(claims: list[Claim], claim: Claim) -> list[Claim]:
    """
    Return the claims with one more; a loss of the same account in the same market and asset grows the claim it has.
    """
    key = (claim.account, claim.contract, claim.asset)
    for i, old in enumerate(claims):
        if (old.account, old.contract, old.asset) == key:
            grown = msgspec.structs.replace(old, amount=old.amount + claim.amount)
            return [*claims[:i], grown, *claims[i + 1 :]]
    return [*claims, claim]


def pay_claims(claims: list[Claim], asset: int, amount: int, contract: int | None = None) -> list[Claim]:
    """
    Return the claims after `amount` units were paid, oldest first; `contract` limits it to one market's claims. Those
    that somebody stands in for are paid only by name.
    """
    out: list[Claim] = []
    for claim in claims:
        mine = claim.contract != STAND_IN if contract is None else claim.contract == contract
        if amount and claim.asset == asset and mine:
            paid = min(amount, claim.amount)
            amount -= paid
            if paid < claim.amount:
                out.append(msgspec.structs.replace(claim, amount=claim.amount - paid))
        else:
            out.append(claim)
    assert amount == 0, "no more is paid than is claimed"
    return out
