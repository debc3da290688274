"""
Tocsin: a margin-call system for crypto derivatives whose every number can be checked.

`import tocsin as tc` gives the names of `__all__`; each is loaded when it is first used (docs/reference/api.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.core.errors import Reason, Refused, TocsinError
    from tocsin.engine import commands
    from tocsin.engine.engine import Engine
    from tocsin.journal.disk import RealDisk
    from tocsin.journal.host import EmbeddedHost
    from tocsin.journal.verify import verify
    from tocsin.journal.why import explain
    from tocsin.margin.cure import cure_quantity
    from tocsin.margin.deadline import compute_deadline
    from tocsin.margin.levels import assess
    from tocsin.margin.prices import bankruptcy_price, liquidation_price
    from tocsin.margin.requirement import compute_requirement
    from tocsin.margin.state import AccountState, Level, Mode
    from tocsin.margin.valuation import Valuation, compute_equity
    from tocsin.sheet.marks import Grade, Mark, Marks
    from tocsin.sheet.presets import tiered_factors
    from tocsin.sheet.terms import (
        Allocation,
        AssetTerms,
        CallPolicy,
        Combine,
        ContractTerms,
        CyclePolicy,
        HaircutTier,
        Kind,
        LevelFactors,
        LiquidationMode,
        LiquidationPolicy,
        Preset,
        RiskSheet,
        Tier,
        WaterfallPolicy,
    )
    from tocsin.sheet.validate import validate_sheet

__version__ = "0.1.0"

__all__ = [
    # one log, one engine
    "Engine", "EmbeddedHost", "RealDisk", "commands", "verify", "explain", "Refused", "Reason", "TocsinError",
    # the risk sheet
    "RiskSheet", "AssetTerms", "HaircutTier", "ContractTerms", "Kind", "Tier", "LevelFactors", "Preset",
    "tiered_factors", "CallPolicy", "LiquidationPolicy", "LiquidationMode", "WaterfallPolicy", "Allocation",
    "Combine", "CyclePolicy", "validate_sheet",
    # marks
    "Mark", "Marks", "Grade",
    # margin of one account
    "AccountState", "Mode", "Level", "Valuation", "compute_equity", "compute_requirement", "assess",
    "liquidation_price", "bankruptcy_price", "cure_quantity", "compute_deadline",
]  # fmt: skip

_HOMES = {
    "tocsin.core.errors": ("Reason", "Refused", "TocsinError"),
    "tocsin.engine.engine": ("Engine",),
    "tocsin.journal.disk": ("RealDisk",),
    "tocsin.journal.host": ("EmbeddedHost",),
    "tocsin.journal.verify": ("verify",),
    "tocsin.journal.why": ("explain",),
    "tocsin.margin.cure": ("cure_quantity",),
    "tocsin.margin.deadline": ("compute_deadline",),
    "tocsin.margin.levels": ("assess",),
    "tocsin.margin.prices": ("bankruptcy_price", "liquidation_price"),
    "tocsin.margin.requirement": ("compute_requirement",),
    "tocsin.margin.state": ("AccountState", "Level", "Mode"),
    "tocsin.margin.valuation": ("Valuation", "compute_equity"),
    "tocsin.sheet.marks": ("Grade", "Mark", "Marks"),
    "tocsin.sheet.presets": ("tiered_factors",),
    "tocsin.sheet.validate": ("validate_sheet",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """
    Load a public name from its module when it is first asked for.
    """
    if name not in __all__:
        raise AttributeError(f"module 'tocsin' has no attribute {name!r}")
    if name == "commands":
        value: Any = import_module("tocsin.engine.commands")
    else:
        value = getattr(import_module(_HOME.get(name, "tocsin.sheet.terms")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """
    Return the public names.
    """
    return [*__all__, "__version__"]
