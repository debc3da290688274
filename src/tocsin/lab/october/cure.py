"""
Say which owners answer a margin call, after how long, and with how much: a stated assumption.
"""

from dataclasses import dataclass
from hashlib import sha256

from tocsin.core.integers import PPM

_DELAY_DECILES_S = (0, 25, 54, 86, 123, 166, 220, 289, 386, 553, 1105)
"""Deciles of the delay beyond the minimum: an exponential of mean 240 s, cut at its 99 % point."""


@dataclass(frozen=True, slots=True)
class Cure:
    """
    The answer of one owner: seconds after the call, and the amount then deposited in units of USDT.
    """

    delay_s: int
    amount: int


@dataclass(frozen=True, slots=True)
class CureModel:
    """
    Decide each owner's answer from (seed, account) alone.

    The draw does not depend on `share_ppm`: who answers at 25 % also answers at 50 %, so that runs with
    different shares differ only by the owners added.

    Attributes:
        seed: Seed of the draws.
        share_ppm: Share of owners that answer, 0 to 1,000,000.
        delay_min_s: Shortest time from the call to the deposit.
        reserve_ppm: Money kept aside for calls, as a share of the first collateral.
    """

    seed: int
    share_ppm: int
    delay_min_s: int = 30
    reserve_ppm: int = 500_000

    def answer(self, account: int, collateral: int) -> Cure | None:
        """
        Return the answer of an account's owner to its call, or None if there is none.

        Args:
            account: Identifier of the account.
            collateral: Value of its first collateral in units, >= 0.

        Returns:
            Delay and amount; the amount (rounded down) is all the owner ever adds, over all calls.
        """
        digest = sha256(
            b"tocsin.october.cure" + self.seed.to_bytes(8, "little", signed=True) + account.to_bytes(8, "little")
        ).digest()
        if int.from_bytes(digest[:8], "little") % PPM >= self.share_ppm:
            return None
        draw = int.from_bytes(digest[8:16], "little") % 10_000
        decile, rest = divmod(draw, 1000)
        low, high = _DELAY_DECILES_S[decile], _DELAY_DECILES_S[decile + 1]
        delay = self.delay_min_s + low + (high - low) * rest // 1000
        return Cure(delay_s=delay, amount=collateral * self.reserve_ppm // PPM)
