"""
Amounts as people read them.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.views.numbers import format_compact, format_exact, format_percent, format_time

M = 1_000_000


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "<0.01"),
        (-1, "−<0.01"),
        (4_999, "<0.01"),
        (5_000, "0.01"),
        (1 * M, "1"),
        (12_340_000, "12.3"),
        (9_994_999, "9.99"),
        (9_995_000, "10"),
        (99_950_000, "100"),
        (999 * M, "999"),
        (999_500_000, "1.00 k"),
        (12_345 * M, "12.3 k"),
        (12_345_678 * M, "12.3 M"),
        (-12_345_678 * M, "−12.3 M"),
        (1_234_567_890 * M, "1.23 B"),
        (1_234_567_890_123 * M, "1.23 T"),
        (1_234_567_890_123_456 * M, "1,235 T"),
    ],
)
def test_compact(amount: int, text: str) -> None:
    assert format_compact(amount) == text


def test_compact_of_counts() -> None:
    assert format_compact(999, unit=1) == "999"
    assert format_compact(1284, unit=1) == "1.28 k"


@given(st.integers(-(10**24), 10**24), st.sampled_from([1, 100, M]))
def test_compact_is_within_half_a_last_digit(amount: int, unit: int) -> None:
    text = format_compact(amount, unit=unit)
    if "<" in text:
        assert 0 < abs(amount) * 200 < unit
        return
    number, _, suffix = text.replace("−", "-").replace(",", "").partition(" ")
    value = Fraction(amount, unit * {"": 1, "k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}[suffix])
    decimals = 2 if abs(value) < Fraction("9.995") else 1 if abs(value) < Fraction("99.95") else 0
    assert abs(Fraction(number) - value) <= Fraction(1, 2 * 10**decimals)
    assert suffix == "T" or abs(Fraction(number)) < 1000
    assert suffix == "" or abs(Fraction(number)) >= 1


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [(0, 6, "0.000000"), (-1, 6, "−0.000001"), (1_234_567_891, 6, "1,234.567891"), (1234, 0, "1,234")],
)
def test_exact(amount: int, decimals: int, text: str) -> None:
    assert format_exact(amount, decimals=decimals) == text


@given(st.integers(-(10**30), 10**30))
def test_exact_loses_nothing(amount: int) -> None:
    digits = format_exact(amount).replace(",", "").replace(".", "").replace("−", "-")
    assert int(digits) == amount


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 8, "12.5 %"),
        (0, 8, "0.0 %"),
        (8, 8, "100.0 %"),
        (1, 1_000_000, "<0.1 %"),
        (-1, 8, "−12.5 %"),
        (1, -8, "−12.5 %"),
        (-1, -8, "12.5 %"),
        (3, 0, "–"),
    ],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert format_percent(part, whole) == text


def test_time_is_utc() -> None:
    assert format_time(1_760_131_236) == "21:20"
    assert format_time(1_760_131_236, seconds=True) == "21:20:36"
