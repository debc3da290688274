"""
Other people's rulebooks as pure functions, one file a venue.

Comes in: exact numbers in the venue's own words. Goes out: exact numbers; floats where options are priced. Tocsin's own
rules are never here; what a venue computes and Tocsin would not is. May import `core`, `sheet`, `margin` and `risk`.
"""

from tocsin.core.errors import TocsinError


class VenueRefusal(TocsinError):
    """The venue's rule refuses these inputs, or has no answer for them; the message says why."""


__all__ = ["VenueRefusal"]
