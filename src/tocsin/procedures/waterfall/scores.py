"""
Rank holders for the ADL queue by the score a venue publishes (rules WF-031, WF-033).

A score is an exact fraction. `ranks_before` compares two by cross-multiplication and is the definition;
`rank_candidates` sorts many by whole-number keys that order the same fractions alike (a property test compares both).
"""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.sheet.terms import Score


class Candidate(NamedTuple):
    """
    One position on the side that can absorb lots, as frozen at the close of the cycle.

    `lots` >= 0 are those that may be taken, `reserved` >= 0 those that an intent holds back, so that lots + reserved is
    the position. `profit`, `equity` and `balance` are signed, `entry_value`, `notional` and `requirement` >= 0, all of
    the account or the whole position. Profit, entry value, notional and balance are in units of one asset, equity and
    requirement in valuation units; only candidates of one contract are compared, so that prices cancel. `side` is +1 if
    the holder gains when its notional rises, else -1. `safe` lots may be closed without raising the holder's
    requirement; -1 stands for all.
    """

    bucket: int
    account: int
    lots: int
    profit: int = 0
    entry_value: int = 0
    notional: int = 0
    equity: int = 0
    reserved: int = 0
    side: int = 1
    balance: int = 0
    requirement: int = 0
    safe: int = -1

    @property
    def held(self) -> int:
        """Lots of the whole position, >= 0."""
        return self.lots + self.reserved

    @property
    def safe_lots(self) -> int:
        """Lots offered whose close does not raise the holder's requirement, 0 to `lots`."""
        return self.lots if self.safe < 0 else min(self.safe, self.lots)


class Fraction(NamedTuple):
    """An exact score; `bottom` > 0. The highest is deleveraged first."""

    top: int
    bottom: int


def score_candidate(candidate: Candidate, score: Score) -> Fraction:
    """
    Return the score of one holder (rule WF-033).

    Divisors (entry value, notional, equity, balance, requirement, lots held) below one unit count as one.

    Source: BitMEX, Binance and OKX as their help pages and adl.finance state them; Hyperliquid's documentation, as it
        stands and with the price ratio turned for shorts; best entry price as in Dango; an order of accounts without a
        score (`START`) as in dYdX v4.
    """
    entry, notional = max(1, candidate.entry_value), max(1, candidate.notional)
    equity, profit = max(1, candidate.equity), candidate.profit
    match score:
        case Score.BITMEX:
            if profit >= 0:
                return Fraction(profit * notional, entry * equity)
            return Fraction(profit * equity, entry * notional)
        case Score.BINANCE:
            if profit >= 0:
                return Fraction(profit, equity)
            return Fraction(profit * equity, notional * notional)
        case Score.OKX:
            return Fraction(profit * max(1, candidate.requirement), max(1, candidate.balance) * equity)
        case Score.HYPERLIQUID:
            return Fraction(notional * notional, entry * equity)
        case Score.HYPERLIQUID_PROFIT:
            if candidate.side >= 0:
                return Fraction(notional * notional, entry * equity)
            return Fraction(candidate.entry_value, equity)
        case Score.ENTRY_PRICE:
            return Fraction(-candidate.side * candidate.entry_value, max(1, candidate.held))
        case Score.START:
            return Fraction(0, 1)


def ranks_before(a: Candidate, b: Candidate, score: Score = Score.BITMEX) -> bool:
    """
    Say whether `a` stands before `b`: by score, highest first, then by bucket and account; nothing is divided.
    """
    ours, theirs = score_candidate(a, score), score_candidate(b, score)
    left, right = ours.top * theirs.bottom, theirs.top * ours.bottom
    return left > right or (left == right and (a.bucket, a.account) < (b.bucket, b.account))


def rank_candidates(candidates: list[Candidate], score: Score = Score.BITMEX, *, first_extra: int = 0) -> list[int]:
    """
    Return the positions of `candidates` from first to last in the ADL queue (WF-031).

    Args:
        candidates: Holders on one side of one contract, one row per account, in any order.
        score: Who stands first; equal scores go by bucket, then account.
        first_extra: Under `START` the queue is the order of (bucket, account) begun at this place modulo its length;
            no other score reads it.

    Complexity: O(n log n) comparisons of whole numbers.
    """
    canonical = canonical_order(candidates)
    if not candidates:
        return canonical
    if score is Score.START:
        start = first_extra % len(canonical)
        return canonical[start:] + canonical[:start]
    fractions = [score_candidate(candidates[i], score) for i in canonical]
    shift = key_shift(f.bottom for f in fractions)
    keys = [(-((f.top << shift) // f.bottom), place) for place, f in enumerate(fractions)]
    return [canonical[place] for _, place in sorted(keys)]


def canonical_order(candidates: list[Candidate]) -> list[int]:
    """Return positions in (bucket, account) order."""
    return sorted(range(len(candidates)), key=lambda i: (candidates[i].bucket, candidates[i].account))


def key_shift(bottoms: Iterable[int]) -> int:
    """
    Return s such that `(top << s) // bottom` orders fractions with these denominators exactly.

    Two different fractions with denominators below 2^b differ by more than 2^-2b, so that their keys differ; equal
    fractions have equal keys.
    """
    return 2 * max(bottoms, default=1).bit_length() + 1
