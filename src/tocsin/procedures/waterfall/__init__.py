"""
Who pays a shortfall, and whose lots are closed: pure functions on whole units and whole lots.

Comes in: a claim, funds, capacities of payers, candidates in canonical order. Goes out: one whole number
per claimant, exact in total. No account is changed here and nothing is read but the arguments. Rules WF-001
and up (`docs/rulebook/waterfall.md`). The siblings `margin_calls` and `liquidation` are never imported.
"""

from tocsin.procedures.waterfall.adl import LotPolicy, allocate_lots, deal_lots
from tocsin.procedures.waterfall.assessments import (
    DefaultLoss,
    GainsHaircut,
    absorb_default,
    assessment_cap,
    haircut_gains,
    tear_up,
)
from tocsin.procedures.waterfall.default_fund import FundSize, share_default_fund, size_default_fund
from tocsin.procedures.waterfall.funds import (
    Draws,
    SharedDraws,
    Stage,
    draw_stages,
    insurance_fund_delta,
    share_stages,
)
from tocsin.procedures.waterfall.scores import Candidate, rank_candidates, ranks_before, score_candidate
from tocsin.procedures.waterfall.sharing import (
    OtherRemainder,
    Sharing,
    share_by_weight,
    share_deficit,
    share_min_max,
    share_pro_rata_floor,
    share_queue,
    share_water_filling,
)

__all__ = [
    "Candidate",
    "DefaultLoss",
    "Draws",
    "LotPolicy",
    "FundSize",
    "GainsHaircut",
    "OtherRemainder",
    "SharedDraws",
    "Sharing",
    "Stage",
    "absorb_default",
    "allocate_lots",
    "deal_lots",
    "assessment_cap",
    "draw_stages",
    "haircut_gains",
    "insurance_fund_delta",
    "rank_candidates",
    "ranks_before",
    "score_candidate",
    "share_by_weight",
    "share_default_fund",
    "share_deficit",
    "share_min_max",
    "share_pro_rata_floor",
    "share_queue",
    "share_stages",
    "share_water_filling",
    "size_default_fund",
    "tear_up",
]
