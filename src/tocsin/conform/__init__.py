"""
Run vector files, the worked cases of other engines, against Tocsin or against any program.

Comes in: files of cases (engine, mechanism, inputs, expected). Goes out: one outcome per case, passed, failed or
skipped, with the door it went through: `core` is Tocsin's own rules, `venue` another engine's rule as a formula,
`risk` a model in floating point. Numbers are read as exact fractions.
"""

from tocsin.conform.engine import ask_engine
from tocsin.conform.outcome import Outcome, Report, Status
from tocsin.conform.run import list_doors, run_cases
from tocsin.conform.vectors import Case, load_cases

__all__ = [
    "Case",
    "Outcome",
    "Report",
    "Status",
    "ask_engine",
    "list_doors",
    "load_cases",
    "run_cases",
]
