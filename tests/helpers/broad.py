"""
A wild world with everything on: scenarios and add-ons, portfolio accounts, owners, transfers, recourse, classes, loans,
an option, a dated future, spot, fees, settlement, rescaling, halts with grace.

`BroadChaos` is a `Chaos` whose sheet holds all of it; `broad_history` throws the dice over the old actions and the new.
"""

import msgspec

from tests.helpers.chaos import ACTIONS, Chaos, Dice, chaos_sheets
from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, MINUTE, SECOND, USDT
from tocsin.core.errors import Refused
from tocsin.engine import commands as cm
from tocsin.margin.state import AccountClass, Mode
from tocsin.sheet import terms as t
from tocsin.sheet.terms import encode_sheet
from tocsin.sheet.validate import validate_sheet

replace = msgspec.structs.replace

FUTURE, CALL, SPOT = 4, 5, 6
BITCOIN, OTHER = 1, 2
SHOCKS = (-150_000, -100_000, -50_000, -20_000, 20_000, 50_000, 100_000, 150_000)
"""Moves of the underlying in ppm, one a scenario."""

START_NS = 1_000 * MINUTE
EXPIRY = START_NS + 40 * MINUTE
PRICE = 10_000_000
"""The price of BTC in cents."""


def _moved(mark: int) -> tuple[int, ...]:
    return tuple(mark * shock // 1_000_000 for shock in SHOCKS)


def broad_sheet() -> t.RiskSheet:
    """Return the sheet of the wild worlds with every feature that publication knows."""
    base = chaos_sheets()[0]
    usdt, btc = base.assets
    lending = t.BorrowTerms(200_000_000, 50_000, 800_000, 200_000, 3_000_000, reserve_ppm=100_000, close_ppm=500_000)
    usdt = replace(usdt, borrow=lending, gain_discount_ppm=300_000, premium_ppm=20_000)
    btc = replace(
        btc,
        haircuts=(t.HaircutTier(0, 50_000), t.HaircutTier(500_000_000, 150_000)),
        underlying=BITCOIN,
        row=SHOCKS,
        borrow=replace(lending, account_cap=1_000_000),
    )
    linear, alt, inverse = base.contracts
    linear = replace(
        linear, underlying=BITCOIN, array=_moved(100_000_000), gamma=500_000, delta=100_000_000,
        liquidity=(t.Tier(0, 0), t.Tier(5_000_000_000, 5_000)), trade_fee_cap_ppm=1_000,
    )  # fmt: skip
    alt = replace(alt, underlying=OTHER, array=_moved(20_000_000), delta=10_000_000, trade_fee_cap_ppm=1_000)
    inverse = replace(inverse, underlying=BITCOIN, array=_moved(100_000), delta=100_000_000)
    future = replace(
        linear, id=FUTURE, symbol="BTCUSDT-F", units=10, expiry_ns=EXPIRY, look_ahead_ns=10 * MINUTE, gamma=0
    )
    call = t.ContractTerms(
        CALL, "BTC-C", t.Kind.OPTION, USDT, 10, 100_000_000, 10_000, (t.Tier(0, 10_000),),
        charge_short=2_000_000, capacity_lots=200, impact_ppm=2_000, fee_ppm=500, underlying=BITCOIN,
        array=tuple(max(0, s) * 60 - 1_500_000 for s in SHOCKS), delta=40_000_000,
        option=t.OptionTerms(True, 10_500_000), expiry_ns=EXPIRY + 20 * MINUTE, look_ahead_ns=5 * MINUTE,
    )  # fmt: skip
    spot = t.ContractTerms(
        SPOT, "BTC/USDT", t.Kind.SPOT, USDT, 10, 500_000_000, 100_000, (t.Tier(0, 100_000),), base=BTC,
        base_units=100_000, trade_fee_cap_ppm=1_000,
    )  # fmt: skip
    sheet = replace(
        base,
        assets=(usdt, btc),
        contracts=(linear, alt, inverse, future, call, spot),
        addon=t.LevelFactors(1_000_000, 800_000, 500_000, 0),
        portfolio=t.Components(
            charge=t.LevelFactors(1_000_000, 600_000, 500_000, 300_000),
            scenario=t.LevelFactors(1_200_000, 900_000, 800_000, 500_000),
            addon=t.LevelFactors(1_000_000, 500_000, 500_000, 0),
            combine=t.Combine.MAX,
        ),
        scenarios=tuple(f"BTC {s / 10_000:+g} %" for s in SHOCKS),
        alone_256=32,
        underlyings=(
            t.UnderlyingTerms(
                BITCOIN, "BTC", 153, LINEAR, 100_000_000, 30_000_000, (t.Tier(0, 0), t.Tier(20_000_000_000, 10_000))
            ),
            t.UnderlyingTerms(OTHER, "ALT", 64, ALT, 10_000_000, 5_000_000),
        ),
        classes=(
            t.ClassTerms(),
            t.ClassTerms(called=False),
            t.ClassTerms(deleveraged=False, borrows=False),
            t.ClassTerms(shares_losses=False),
        ),
        life=t.LifePolicy(grace_ns=2 * MINUTE, quorum_ppm=500_000, quorum_marks=1, grace_max_ns=20 * MINUTE),
    )
    return validate_sheet(sheet)


class BroadChaos(Chaos):
    """A wild world whose sheet has everything; `open_contracts` are those that can still be traded."""

    def __init__(self, sheet=None, *, shards=1, on_cut=None, traders=1):
        self.scale = 1
        super().__init__(sheet or broad_sheet(), shards=shards, on_cut=on_cut, traders=traders)
        self.marks_now |= {FUTURE: 100_000_000, CALL: 2_000_000, SPOT: 100_000_000}
        for contract in (FUTURE, CALL, SPOT):
            self.funding[contract] = self.grades[contract] = 0
        self.publish()
        self.cut()

    def publish(self, contracts=None, slow_ppm=0):
        """Publish marks of contracts that are not settled; those of BTC move together."""
        if contracts is None:
            contracts = [c for c in self.marks_now if c in {x.id for x in self.engine.house.sheet.contracts}]
        gone = {*self.engine.house.state.settled, *self.engine.house.state.settling}
        ids = tuple(sorted(c for c in contracts if c not in gone))
        marks = tuple(self.marks_now[c] for c in ids)
        return self.send(
            cm.SetMarks,
            contract=ids,
            mark=marks,
            funding=tuple(self.funding[c] for c in ids),
            grade=tuple(self.grades[c] for c in ids),
            asset=(USDT, BTC),
            price=(1_000_000, self.btc),
            slow=tuple(m + m * slow_ppm // 1_000_000 for m in marks) if slow_ppm else (),
        )

    def move(self, contract, ppm):
        super().move(contract, ppm)
        if contract == LINEAR:
            mark = self.marks_now[LINEAR] // self.scale * self.scale
            self.marks_now[LINEAR] = mark
            self.marks_now[FUTURE] = self.marks_now[SPOT] = mark * self.scale
            self.marks_now[CALL] = max(0, mark * self.scale - 100_000_000) // 2 + 1_000_000
            self.grades |= {FUTURE: 0, SPOT: 0, CALL: 0}
            self.publish([LINEAR, FUTURE, CALL, SPOT])

    def set_sheet(self, sheet):
        """Publish what another sheet says of calls, waterfall and liquidation; the contracts stay what they are."""
        now = self.engine.house.sheet
        same = replace(
            now, name=sheet.name, calls=sheet.calls, waterfall=sheet.waterfall, liquidation=sheet.liquidation
        )
        self.send(cm.SetSheet, sheet=encode_sheet(same))

    def rescale(self, factor):
        """Make lots of LINEAR smaller, once: terms per lot are divided, caps multiplied."""
        sheet, state = self.engine.house.sheet, self.engine.house.state
        linear = next(c for c in sheet.contracts if c.id == LINEAR)
        if self.scale != 1 or linear.units % factor or self.marks_now[LINEAR] % factor or self.funding[LINEAR] % factor:
            return
        terms = replace(
            linear,
            units=linear.units // factor,
            mark_cap=-(-linear.mark_cap // factor),
            position_cap=linear.position_cap * factor,
            charge_long=linear.charge_long // factor,
            charge_short=linear.charge_short // factor,
            array=tuple(-(-x // factor) for x in linear.array),
            gamma=linear.gamma // factor,
            delta=-(-linear.delta // factor),
            capacity_lots=linear.capacity_lots * factor,
        )
        first = sheet.underlyings[0]
        measured = replace(first, reference=first.reference // factor, band=first.band // factor)
        contracts = tuple(terms if c.id == LINEAR else c for c in sheet.contracts)
        new = replace(sheet, contracts=contracts, underlyings=(measured, *sheet.underlyings[1:]))
        self.publish([LINEAR])
        self.cut()
        entry = state.marks.contracts.get(LINEAR)
        if entry is None or any(x % factor for x in (entry.mark, entry.funding, entry.slow)):
            return
        answer = self.send(cm.Rescale, contract=LINEAR, factor=factor, sheet=encode_sheet(new))
        if not isinstance(answer, Refused):
            result = self.cut()
            if any(e.kind == "rescale_asked" for e in result.events):
                self.scale = factor
                self.marks_now[LINEAR] = entry.mark // factor
                self.funding[LINEAR] = entry.funding // factor
                self.publish()

    def calm(self, cycles=30):
        """Bring the world to rest: settle what expired, pay back what is owed, then cycles without trades."""
        for contract in self.marks_now:
            self.send(cm.SetMarket, contract=contract, halted=False)
            self.grades[contract] = 0
        self.set_sheet(replace(chaos_sheets()[0], name=f"calm {self.nonce}"))
        for asset in (USDT, BTC):
            self.send(cm.FundDeposit, contract=-1, asset=asset, amount=10**15)
        for account in self.accounts:
            for asset in (USDT, BTC):
                self.send(cm.Deposit, account=account, asset=asset, amount=10**13)
        results = []
        for _ in range(cycles):
            self.publish()
            for contract in (ALT, FUTURE, CALL):
                self.send(cm.Settle, contract=contract, price=PRICE)
            results.append(self.cut())
        return results


def _pair(world, dice):
    return dice.pick(world.accounts), dice.pick(world.accounts)


def _transfer(world, dice, contract, lots):
    sender, receiver = _pair(world, dice)
    asset, amount = dice.pick(((USDT, 2_000_000_000), (BTC, 2_000_000)))
    world.send(cm.Transfer, account=sender, to=receiver, asset=asset, amount=1 + dice.below(amount))


def _borrow(world, dice, contract, lots):
    asset, amount = dice.pick(((USDT, 3_000_000_000), (BTC, 60_000_000)))
    world.send(cm.Borrow, account=dice.pick(world.accounts), asset=asset, amount=1 + dice.below(amount))


def _life(world, dice, contract, lots):
    which = dice.pick((FUTURE, CALL, ALT))
    if dice.below(3) == 0:
        world.send(cm.Delist, contract=which)
    world.send(cm.Settle, contract=which, price=PRICE + dice.below(2_000_000) - 1_000_000)


def _other_markets(world, dice, contract, lots):
    which = dice.pick((FUTURE, CALL, SPOT))
    if which in {*world.engine.house.state.settled, *world.engine.house.state.settling}:
        return
    buyer, seller = _pair(world, dice)
    size = 1 + dice.below(40)
    value = size * max(1, world.price(which, dice.below(20_000) - 10_000))
    fee = value // 2_000 if which == SPOT else 0
    world.send(
        cm.Fills,
        buyer=(buyer,),
        seller=(seller,),
        contract=(which,),
        lots=(size,),
        value=(value,),
        buyer_fee=(fee,),
        seller_fee=(-fee // 3,),
    )


def _mode(world, dice, contract, lots):
    mode = dice.pick((Mode.CROSS, Mode.PORTFOLIO, Mode.PORTFOLIO, Mode.ISOLATED))
    world.send(cm.ChangeMode, account=dice.pick(world.accounts), mode=mode)


def _link(world, dice, contract, lots):
    world.send(cm.LinkOwner, account=dice.pick(world.accounts), owner=dice.below(3))


NEW_ACTIONS = (
    (7, _transfer),
    (6, _borrow),
    (4, _life),
    (10, _other_markets),
    (4, _mode),
    (3, _link),
    (1, lambda world, dice, contract, lots: world.rescale(10)),
    (2, lambda world, dice, contract, lots: world.publish([LINEAR, ALT], dice.pick((-80_000, 30_000)))),
)
_DECK = tuple(action for weight, action in (*ACTIONS, *NEW_ACTIONS) for _ in range(weight))


def broad_history(seed, *, cycles=40, accounts=10, actions=8, shards=1, world=None):
    """Return a world after `cycles` random cycles from `seed` with every feature in use."""
    dice = Dice(seed)
    world = world or BroadChaos(shards=shards)
    for _ in range(accounts):
        ident = len(world.accounts) + 1
        world.ok(
            cm.OpenAccount,
            account=ident,
            root=dice.pick((7, 7, 50 * ident)),
            mode=dice.pick((Mode.CROSS, Mode.CROSS, Mode.PORTFOLIO, Mode.ISOLATED, Mode.EXTERNAL)),
            kind=dice.pick((AccountClass.CLIENT, AccountClass.CLIENT, *AccountClass)),
            recourse=dice.below(3) == 0,
        )
        world.accounts.append(ident)
        world.send(cm.Deposit, account=ident, asset=USDT, amount=1 + dice.below(3_000_000_000))
        world.send(cm.Deposit, account=ident, asset=BTC, amount=1 + dice.below(5_000_000))
    world.send(cm.FundDeposit, contract=-1, asset=USDT, amount=5_000_000_000)
    world.send(cm.FundDeposit, contract=-2, asset=USDT, amount=1_000_000_000)
    for _ in range(cycles):
        for _ in range(dice.below(actions + 1)):
            contract = dice.pick((LINEAR, LINEAR, ALT, INVERSE))
            lots = 1 + 60 * dice.below(1_000) ** 2 // 1_000**2
            dice.pick(_DECK)(world, dice, contract, lots)
        world.cut(dice.pick((5 * SECOND, MINUTE, MINUTE, MINUTE, MINUTE, 10 * MINUTE)))
    return world
