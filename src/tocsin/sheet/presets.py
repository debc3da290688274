"""
The three presets: which level a venue calls its maintenance margin (rule LV-010).

`tiers` always hold the venue's own maintenance rates. A preset puts that maintenance at `liquidation` (exchange) or
at `margin_call` (broker, clearing house) and scales the other levels around it.
"""

from tocsin.sheet.terms import LevelFactors, Preset

TIERED = {
    # An exchange liquidates at its maintenance margin and calls before it.
    Preset.EXCHANGE: LevelFactors(2_000_000, 1_250_000, 1_000_000, 666_667),
    # A broker calls at its maintenance margin and liquidates below it.
    Preset.BROKER: LevelFactors(1_500_000, 1_000_000, 800_000, 500_000),
    # A clearing house calls to its full (initial) margin and acts on default well below.
    Preset.CLEARING: LevelFactors(1_000_000, 1_000_000, 500_000, 250_000),
}

HYSTERESIS_PPM = (0, 50_000, 50_000, 0)


def tiered_factors(preset: Preset) -> LevelFactors:
    """
    Return the factors of the tiered component for `preset`, in ppm.
    """
    return TIERED[preset]
