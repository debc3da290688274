"""
The engine's own arguments: whatever is no sheet or no time is refused before anything is written or changed.
"""

import msgspec
import pytest

from tests.helpers.worlds import Driver, small_sheet
from tocsin.core.errors import DataError
from tocsin.engine.engine import Engine
from tocsin.journal.host import EmbeddedHost
from tocsin.journal.simdisk import SimDisk
from tocsin.sheet import terms as t

TIMES = [-1, 2**63, 1.5, True, None, "7"]


@pytest.mark.parametrize("time_ns", TIMES)
def test_a_first_time_that_is_none_is_refused(time_ns):
    """CY-007: also before a journal is made."""
    disk = SimDisk(1)
    for make in (lambda: Engine(small_sheet(), time_ns), lambda: EmbeddedHost.create(disk, small_sheet(), time_ns)):
        with pytest.raises(DataError, match="time_ns must be a whole number from 0"):
            make()
    assert disk.names() == []


@pytest.mark.parametrize("time_ns", [*TIMES, 60.0])
def test_a_time_of_a_cut_that_is_none_is_refused(time_ns):
    """CY-007: and the cycle stays open."""
    engine = Driver().engine
    with pytest.raises(DataError, match="next_time_ns must be a whole number from"):
        engine.cut(time_ns)
    assert engine.cycle == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": 7},
        {"hysteresis_ppm": (0, 0, 0)},
        {"calls": t.CallPolicy(enabled="yes")},
        {"tiered": t.LevelFactors(2e6, 1, 1, 1)},
        {"name": None},
    ],
)
def test_a_sheet_with_fields_of_another_type_is_refused(fields):
    """SH-002: a sheet given as a value is held to the types of its bytes, before a journal is made."""
    disk = SimDisk(1)
    sheet = msgspec.structs.replace(small_sheet(), **fields)
    for make in (lambda: Engine(sheet, 0), lambda: EmbeddedHost.create(disk, sheet, 0)):
        with pytest.raises(DataError, match="sheet must have fields of the published types"):
            make()
    assert disk.names() == []
