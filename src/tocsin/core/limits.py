"""
Every bound of the system, in one place. Refusals and the rulebook (UN-010) quote these names.
"""

LOTS_MAX = 2**31 - 1
"""Largest absolute position or hold of one contract, in lots."""

MONEY_MAX = 2**62
"""Largest absolute amount of one account, in units; the admission bound keeps every sum below it."""

ACCOUNT_ID_MAX = 2**48
POSITIONS_MAX = 256
"""Largest number of contracts one account may hold."""

ASSETS_MAX = 64
CONTRACTS_MAX = 4096
FACTORS_MAX = 8
TIERS_MAX = 64
BUCKETS = 4096
"""Number of buckets accounts are dealt to for life (DESIGN 2.5)."""

BATCH_ROWS_MAX = 65_536
COMMAND_BYTES_MAX = 4 * 1024 * 1024
NOTIONAL_PER_LOT_MIN = 100_000
"""Smallest notional of one lot at `List`, in units of the settlement asset."""

PRICE_SCALE = 1_000_000
"""Asset prices are millionths of a valuation unit per unit of the asset."""

PRICE_MAX = 2**50
MARK_MAX = 2**50
RATE_PPM_MAX = 100 * 1_000_000
