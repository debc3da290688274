"""
Every bound of the system, in one place. Refusals and the rulebook (UN-010 to UN-014) quote these names.
"""

LOTS_MAX = 2**31 - 1
"""Largest absolute position or hold of one contract, in lots."""

NOTIONAL_MAX = 2**51
"""Largest position cap x mark cap of one contract, in units and in valuation units (rule UN-010)."""

CASH_MAX = 2**58
"""Largest absolute cash of one account, per asset in units and over all assets in valuation units (rule UN-010)."""

ACCOUNT_ID_MAX = 2**48
POSITIONS_MAX = 64
"""Largest number of contracts one account may hold."""

ASSETS_MAX = 16
CONTRACTS_MAX = 4096
FACTORS_MAX = 8
TIERS_MAX = 64
UNDERLYINGS_MAX = 1024
SCENARIOS_MIN = 8
SCENARIOS_MAX = 128
ROW_PPM_MAX = 1_000_000
"""Largest gain or loss of a collateral asset in a scenario x the largest factor, in ppm of its value (rule UN-010)."""

BUCKETS = 4096
"""Number of buckets accounts are dealt to for life (DESIGN 2.5)."""

BATCH_ROWS_MAX = 65_536
COMMAND_BYTES_MAX = 4 * 1024 * 1024
NOTIONAL_PER_LOT_MIN = 100_000
"""Smallest notional of one lot at `List`, in units of the settlement asset."""

PRICE_SCALE = 1_000_000
"""Asset prices are millionths of a valuation unit per unit of the asset."""

PRICE_MAX = 2**40
MARK_MAX = 2**44
RATE_PPM_MAX = 100 * 1_000_000
VAULT_MAX = 2**62
"""Largest sum of one asset in the vault, in units (rule CM-007)."""

PREMIUM_PPM_MAX = 1_000_000
"""Largest premium of a negative balance (rule UN-010)."""

REQUIREMENT_PPM_MAX = 2_000_000
"""
Largest initial requirement of one contract at its caps, in ppm of the notional at its mark cap, and with scenarios and
add-ons in ppm of `NOTIONAL_MAX` (rule UN-010).
"""

HOLD_CAPS_MAX = 2
"""Largest hold of one side, in position caps: what an order from one cap to the other rests (rule UN-010)."""
