"""
Small worlds for tests: two settlement assets, a linear and an inverse contract, and a driver that keeps nonces.
"""

from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.engine.sequencer import Accepted
from tocsin.sheet import terms as t
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors

SECOND = 10**9
MINUTE = 60 * SECOND

USDT, BTC = 1, 2
LINEAR, ALT, INVERSE = 1, 2, 3


def small_sheet(**changes: object) -> t.RiskSheet:
    """
    Return a sheet with USDT (u = 1e-6) and BTC (u = 1e-8), a linear BTC and ALT perpetual and an inverse BTC one.
    """
    usdt = t.AssetTerms(USDT, "USDT", 6, 1_100_000, (t.HaircutTier(0, 0),), premium_ppm=0, stress_ppm=10_000)
    btc = t.AssetTerms(
        BTC,
        "BTC",
        8,
        2_000_000_000,
        (t.HaircutTier(0, 100_000), t.HaircutTier(500_000_000, 250_000)),
        premium_ppm=50_000,
        stress_ppm=150_000,
    )
    common = {
        "stale_half_band_ppm": 50_000,
        "loadings": (200_000,),
        "own_loading": 50_000,
        "gap_charge": 100_000,
        "capacity_lots": 200,
        "impact_ppm": 5_000,
        "fee_ppm": 1_000,
        "dust_lots": 2,
    }
    contracts = (
        # One lot of LINEAR is 0.001 BTC: price 100,000.00 in cents, 10 units a cent, mark 100,000,000 units.
        t.ContractTerms(
            LINEAR,
            "BTCUSDT",
            t.Kind.LINEAR,
            USDT,
            10,
            500_000_000,
            100_000,
            (t.Tier(0, 20_000), t.Tier(2_000_000_000, 50_000), t.Tier(20_000_000_000, 100_000)),
            charge_long=8_000_000,
            charge_short=8_000_000,
            **common,
        ),
        t.ContractTerms(
            ALT,
            "ALTUSDT",
            t.Kind.LINEAR,
            USDT,
            100,
            50_000_000,
            1_000_000,
            (t.Tier(0, 50_000), t.Tier(1_000_000_000, 100_000)),
            charge_long=600_000,
            charge_short=900_000,
            combine=t.Combine.SUM,
            **common,
        ),
        # Inverse: 100 USD a lot; K / p with p in cents gives units of 1e-8 BTC.
        t.ContractTerms(
            INVERSE,
            "BTCUSD",
            t.Kind.INVERSE,
            BTC,
            100 * 100 * 10**8,
            2_000_000,
            100_000,
            (t.Tier(0, 20_000), t.Tier(10_000_000_00, 60_000)),
            **common,
        ),
    )
    sheet = t.RiskSheet(
        name="small",
        preset=t.Preset.EXCHANGE,
        assets=(usdt, btc),
        contracts=contracts,
        tiered=tiered_factors(t.Preset.EXCHANGE),
        charge=t.LevelFactors(1_000_000, 500_000, 0, 0),
        hysteresis_ppm=HYSTERESIS_PPM,
    )
    if changes:
        import msgspec

        sheet = msgspec.structs.replace(sheet, **changes)
    return sheet


class Driver:
    """
    An engine with a clock that only the test moves and nonces that only rise.
    """

    def __init__(self, sheet: t.RiskSheet | None = None, *, shards: int = 1, start_ns: int = 1_000 * MINUTE) -> None:
        self.engine = Engine(sheet or small_sheet(), start_ns, shards=shards)
        self.now = start_ns
        self.nonce = 0
        self.log: list[tuple[str, object]] = []
        self.results: list[CycleResult] = []

    def send(self, kind: type, /, **fields: object) -> object:
        self.nonce += 1
        command = kind(source=1, nonce=self.nonce, **fields)
        self.log.append(("command", command))
        return self.engine.submit(command)

    def ok(self, kind: type, /, **fields: object) -> None:
        answer = self.send(kind, **fields)
        assert isinstance(answer, Accepted), answer

    def cut(self, step_ns: int = MINUTE) -> CycleResult:
        self.now += step_ns
        self.log.append(("cut", self.now))
        result = self.engine.cut(self.now)
        self.results.append(result)
        return result

    def open(
        self, account: int, *, root: int | None = None, deposit: int = 0, asset: int = USDT, mode: int = 0
    ) -> None:
        self.ok(cm.OpenAccount, account=account, root=root or account, mode=mode)
        if deposit:
            self.ok(cm.Deposit, account=account, asset=asset, amount=deposit)

    def marks(
        self,
        linear: int = 100_000_000,
        alt: int = 10_000_000,
        inverse: int = -100_000,
        *,
        grade: int = 0,
        btc: int = 0,
    ) -> None:
        price = btc or 1_000_000_000
        self.ok(
            cm.SetMarks,
            contract=(LINEAR, ALT, INVERSE),
            mark=(linear, alt, inverse),
            funding=(0, 0, 0),
            grade=(grade,) * 3,
            asset=(USDT, BTC),
            price=(1_000_000, price),
        )

    def fill(self, buyer: int, seller: int, lots: int, value: int, contract: int = LINEAR, **more: int) -> None:
        columns = {k: (v,) for k, v in more.items()}
        self.ok(
            cm.Fills,
            buyer=(buyer,),
            seller=(seller,),
            contract=(contract,),
            lots=(lots,),
            value=(value,),
            **columns,
        )

    def events(self, kind: str | None = None) -> list:
        return [e for r in self.results for e in r.events if kind in (None, e.kind)]
