"""
Who pays a shortfall, and whose lots are closed: pure functions on whole units and whole lots.

Comes in: a claim, funds, capacities of payers, candidates in canonical order. Goes out: one whole number
per claimant, exact in total. No account is changed here and nothing is read but the arguments. Rules WF-001
and up (`docs/rulebook/waterfall.md`). The siblings `margin_calls` and `liquidation` are never imported.
"""

from tocsin.procedures.waterfall.adl import Candidate, allocate_lots, rank_candidates
from tocsin.procedures.waterfall.funds import (
    Draws,
    SharedDraws,
    Stage,
    draw_stages,
    insurance_fund_delta,
    share_stages,
)
from tocsin.procedures.waterfall.sharing import (
    OtherRemainder,
    Sharing,
    share_deficit,
    share_pro_rata_floor,
    share_queue,
    share_water_filling,
)

__all__ = [
    "Candidate",
    "Draws",
    "OtherRemainder",
    "SharedDraws",
    "Sharing",
    "Stage",
    "allocate_lots",
    "draw_stages",
    "insurance_fund_delta",
    "rank_candidates",
    "share_deficit",
    "share_pro_rata_floor",
    "share_queue",
    "share_stages",
    "share_water_filling",
]
