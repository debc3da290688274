"""
Write a small journal: one account, a margin call, a cure. `python examples/small_journal.py [FOLDER]`
"""

import sys
from pathlib import Path

from tocsin.core.errors import Refused
from tocsin.engine import commands as cm
from tocsin.journal.disk import RealDisk
from tocsin.journal.host import EmbeddedHost
from tocsin.sheet import terms as t
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors

SECOND = 10**9
START = 1_760_130_000 * SECOND  # 2025-10-10 21:00:00 UTC
USDT, PERP = 1, 1

SHEET = t.RiskSheet(
    name="small",
    preset=t.Preset.EXCHANGE,
    assets=(t.AssetTerms(USDT, "USDT", 6, price_cap=1_100_000, haircuts=(t.HaircutTier(0, 0),)),),
    contracts=(
        # One lot is one ALT; prices in cents, so a tick is 10,000 units of 0.000001 USDT.
        t.ContractTerms(
            PERP,
            "ALTUSDT",
            t.Kind.LINEAR,
            USDT,
            units=10_000,
            mark_cap=50_000_000,
            position_cap=1_000_000,
            tiers=(t.Tier(0, 50_000), t.Tier(1_000_000_000, 100_000)),
            charge_long=600_000,
            charge_short=600_000,
            combine=t.Combine.SUM,
            own_loading=20_000,
            gap_charge=10_000,
            capacity_lots=200,
            impact_ppm=5_000,
            fee_ppm=1_000,
        ),
    ),
    tiered=tiered_factors(t.Preset.EXCHANGE),
    charge=t.LevelFactors(1_000_000, 500_000, 0, 0),
    hysteresis_ppm=HYSTERESIS_PPM,
)


def write_small_journal(folder: Path) -> bytes:
    """
    Account 1 buys 100 ALT at 10.00 with 240 USDT; ALT falls to 8.40; it is called, pays in 20 USDT, and is cured.

    Returns the last state root.
    """
    nonce = 0

    def send(kind, **fields) -> None:
        nonlocal nonce
        nonce += 1
        answer = host.submit(kind(source=1, nonce=nonce, **fields))
        assert not isinstance(answer, Refused), answer

    def publish(mark: int) -> None:
        send(cm.SetMarks, contract=(PERP,), mark=(mark,), funding=(0,), grade=(0,), asset=(USDT,), price=(1_000_000,))

    def cut(second: int) -> bytes:
        return host.cut(START + second * SECOND).root

    with EmbeddedHost.create(RealDisk(folder), SHEET, START) as host:
        publish(10_000_000)
        cut(30)
        for account, amount in ((1, 240_000_000), (2, 10_000_000_000)):
            send(cm.OpenAccount, account=account, root=account)
            send(cm.Deposit, account=account, asset=USDT, amount=amount)
        send(cm.Fills, buyer=(1,), seller=(2,), contract=(PERP,), lots=(100,), value=(1_000_000_000,))
        publish(8_400_000)
        cut(60)
        cut(90)
        send(cm.Deposit, account=1, asset=USDT, amount=20_000_000)
        return cut(120)


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "small.journal")
    print(f"wrote {place}, last root {write_small_journal(place).hex()}")
