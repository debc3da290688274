"""
What a person reads: pure functions from plain values to text, SVG and HTML.

Comes in: lists, integers and small frozen dataclasses, never the engine's own objects. Goes out: strings.
May use floats (pixels), but no clock, disk or network; the same input gives the same bytes.
"""
