"""
Drawing helpers: scales, ticks, text, lines.
"""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.views.svg import (
    Canvas,
    Scale,
    compute_text_width,
    compute_ticks,
    compute_time_ticks,
    px,
    thin_line,
    wrap,
)


def test_a_scale_maps_ends_to_ends_also_upside_down() -> None:
    assert [Scale(10, 20, 300, 100).at(v) for v in (10, 15, 20)] == [300, 200, 100]


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (1.25, "1.2"), (-0.04, "0"), (10.55, "10.6")])
def test_pixels_have_one_decimal(value: float, text: str) -> None:
    assert px(value) == text


def test_ticks_are_round() -> None:
    assert compute_ticks(101_500, 113_200, count=5) == [102_500, 105_000, 107_500, 110_000, 112_500]
    assert compute_ticks(0, 1, count=5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert compute_ticks(7, 7, count=5) == [7]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_lie_inside(low: float, span: float, count: int) -> None:
    ticks = compute_ticks(low, low + span, count=count)
    assert all(low - span * 1e-6 <= t <= low + span * (1 + 1e-6) for t in ticks)
    assert 1 <= len(ticks) <= 3 * count


def test_time_ticks_are_full_times() -> None:
    start = 1_760_126_400 + 17  # 20:00:17
    ticks = compute_time_ticks(start, start + 3 * 3600, count=10)
    assert [t % 900 for t in ticks] == [0] * 12
    assert start <= ticks[0] < ticks[-1] <= start + 3 * 3600


def test_text_is_escaped_and_the_drawing_is_xml() -> None:
    canvas = Canvas(10, 10, "a <b> & c", 'say "no"')
    canvas.text(1, 2, "<script>alert(1)</script>", tail="& more")
    canvas.rect(0, 0, 0, 5, fill="red")
    svg = canvas.render()
    tree = ET.fromstring(svg)
    assert "<script" not in svg
    texts = [el.text for el in tree.iter() if el.tag.endswith("text")]
    assert texts == ["<script>alert(1)</script>"]
    title = tree.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "a <b> & c"
    assert 'fill="red"' not in svg, "a rectangle without area is left out"


def test_lines_wrap_at_words() -> None:
    lines = wrap("one two three four five six seven", size=10, width=70)
    assert " ".join(lines) == "one two three four five six seven"
    assert len(lines) > 2
    assert all(compute_text_width(line, 10) <= 70 for line in lines)
    assert wrap("unbreakable" * 10, size=10, width=20) == ["unbreakable" * 10]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-100, 100)), min_size=1, max_size=400))
def test_thinning_keeps_ends_and_extremes(points: list[tuple[float, float]]) -> None:
    points.sort(key=lambda p: p[0])
    thin = thin_line([x for x, _ in points], [y for _, y in points])
    assert (thin[0], thin[-1]) == (points[0], points[-1])
    assert (min(y for _, y in thin), max(y for _, y in thin)) == (
        min(y for _, y in points),
        max(y for _, y in points),
    )
    assert [x for x, _ in thin] == sorted(x for x, _ in thin)
    assert len(thin) <= 4 * 51
