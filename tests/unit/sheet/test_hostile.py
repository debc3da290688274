"""
A sheet with everything in which any one number is replaced by a hostile one: refused with a message that names the
field, or good for use.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.helpers.broad import broad_sheet
from tocsin.core.errors import CodecError, SheetError
from tocsin.margin.levels import assess
from tocsin.margin.state import AccountState, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.named_fields import read_sheet
from tocsin.sheet.validate import validate_sheet

replace = msgspec.structs.replace
HOSTILE = (-(2**63), -1, 0, 1, 10**6 + 1, 2**31, 2**51 + 1, 2**63 - 1)
SHEET = broad_sheet()
FIELDS = ("assets", "contracts", "underlyings", "portfolio", "scenario", "addon", "classes", "life", "alone_256")


def spoil(value: Any, hostile: int) -> Iterator[Any]:
    """Yield every copy of `value` in which one integer is `hostile`."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield hostile
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            for other in spoil(item, hostile):
                yield (*value[:i], other, *value[i + 1 :])
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            for other in spoil(getattr(value, name), hostile):
                yield msgspec.structs.replace(value, **{name: other})


def use(sheet: t.RiskSheet) -> None:
    """Value an account at the caps of each contract: a sheet that passed bears it."""
    marks: dict[int, Mark] = {}
    positions: dict[int, tuple[int, int]] = {}
    for c in sheet.contracts:
        mark = -c.mark_cap if c.kind == t.Kind.INVERSE else c.mark_cap
        marks[c.id] = Mark(mark, 0, Grade.STALE, 0)
        if c.kind != t.Kind.SPOT:
            positions[c.id] = (-c.position_cap, 0)
    valuation = Valuation(sheet, Marks(marks, {a.id: a.price_cap for a in sheet.assets}))
    for mode in (Mode.CROSS, Mode.PORTFOLIO):
        numbers = assess(AccountState(1, 1, mode, cash={1: 10**9, 2: 10**9}, positions=positions), valuation)
        assert list(numbers.requirements) == sorted(numbers.requirements, reverse=True)
        assert 0 <= numbers.requirements[0] < 2**62


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_one_hostile_number(name: str, hostile: int) -> None:
    """SH-002 to SH-027: no other exception, no number too large, levels nested."""
    refused: list[str] = []
    for value in spoil(getattr(SHEET, name), hostile):
        sheet = msgspec.structs.replace(SHEET, **{name: value})
        try:
            validate_sheet(sheet)
        except SheetError as error:
            refused.append(str(error))
        else:
            use(sheet)
    assert [text for text in refused if "\n" in text or " must " not in text] == []
    if hostile in (-(2**63), 2**63 - 1) and name != "classes":
        assert refused


@pytest.mark.parametrize("hostile", [1.5, float("nan"), "7", None, [1], b"1"])
def test_what_is_no_number(hostile: object) -> None:
    """SH-002: fields of another type are refused before any bound is looked at."""
    for name in ("alone_256", "scenarios", "underlyings", "life", "portfolio"):
        if (name, hostile) == ("portfolio", None):
            continue
        with pytest.raises(SheetError, match="must"):
            validate_sheet(msgspec.structs.replace(SHEET, **{name: hostile}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"life": t.LifePolicy(quorum_ppm="7")}, "life.quorum_ppm must be `int`, was '7'"),
        (
            {"contracts": (*SHEET.contracts[:5], replace(SHEET.contracts[5], kind=7))},
            "contracts[6].kind must be one of",
        ),
        (
            {"underlyings": (replace(SHEET.underlyings[0], concentration=(t.Tier(0, None),)),)},
            ".rate_ppm must be `int`",
        ),
        ({"portfolio": replace(SHEET.portfolio, addon=7)}, "portfolio.addon must be `array`, was 7"),
        ({"hysteresis_ppm": (0, 0, 1.5, 0)}, "hysteresis_ppm[2] must be `int`, was 1.5"),
        (
            {"alone_256": 2**64},
            "alone_256 must be a number of 64 bits",
        ),
        ({"assets": (object(),)}, "assets[0] must be a number"),
    ],
)
def test_a_field_of_another_type_is_named(changes: dict[str, Any], told: str) -> None:
    """SH-002, SH-012: by its name and value, whether the sheet comes as a value or as bytes."""
    sheet = replace(SHEET, **changes)
    with pytest.raises(SheetError, match="published types") as refused:
        validate_sheet(sheet)
    assert told in str(refused.value)
    try:
        data = t.encode_sheet(sheet)
    except CodecError:
        return
    with pytest.raises(SheetError) as read:
        read_sheet(data)
    assert str(read.value) == str(refused.value)
    with pytest.raises(SheetError, match="fields of the published types"):
        read_sheet(data[:-1])


def test_kinds_as_plain_numbers_are_read() -> None:
    """SH-001: a sheet is what its bytes say, also if a script gave a number for a kind."""
    spot = replace(SHEET.contracts[5], kind=3)
    sheet = replace(SHEET, contracts=(*SHEET.contracts[:5], spot))
    assert validate_sheet(sheet).contracts[5].kind is t.Kind.SPOT
    with pytest.raises(SheetError, match=r"contracts\[6\].delta"):
        validate_sheet(replace(sheet, contracts=(*SHEET.contracts[:5], replace(spot, delta=1))))
