"""
A small world in which anything may happen: actions that random tests choose from, each a few commands.

`Chaos` drives one engine and logs every accepted command and cut, so that a history can be dealt again to other engines.
Prices move by parts per million of what they were; sizes are bounded so that levels of all kinds are reached.
"""

import random

import msgspec

from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, MINUTE, SECOND, USDT, Driver, small_sheet
from tocsin.core.errors import Refused
from tocsin.engine import commands as cm
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.terms import encode_sheet

UNKNOWN = 999_999
START = {LINEAR: 100_000_000, ALT: 10_000_000, INVERSE: -100_000}
TYPICAL_LOTS = {LINEAR: 60, ALT: 600, INVERSE: 60}


def chaos_sheets():
    """Return sheets that may follow one another: the small one, venue style, tight funds, calls off."""
    first = small_sheet()
    calmer = tuple(msgspec.structs.replace(c, loadings=(20_000,), own_loading=5_000) for c in first.contracts)
    first = msgspec.structs.replace(first, contracts=calmer)
    waterfall = t.WaterfallPolicy(adl_after_cycles=2)
    return (
        msgspec.structs.replace(first, waterfall=waterfall),
        msgspec.structs.replace(
            first,
            name="venue",
            calls=t.CallPolicy(enabled=False),
            liquidation=t.LiquidationPolicy(mode=t.LiquidationMode.FULL),
            waterfall=t.WaterfallPolicy(lots=t.Allocation.QUEUE, money=t.Allocation.QUEUE, adl_after_cycles=0),
        ),
        msgspec.structs.replace(
            first,
            name="tight",
            preset=t.Preset.BROKER,
            tiered=t.LevelFactors(1_500_000, 1_000_000, 800_000, 500_000),
            waterfall=t.WaterfallPolicy(
                market_draw_cap_ppm=100_000,
                global_draw_cap_ppm=200_000,
                money=t.Allocation.PRO_RATA,
                remainder=t.Remainder.LAST,
                adl_after_cycles=1,
            ),
        ),
    )


class Chaos(Driver):
    """A driver with a memory of prices, accounts and intents."""

    def __init__(self, sheet=None, *, shards=1, on_cut=None):
        """`on_cut(world, result)` runs after every cut."""
        super().__init__(sheet or chaos_sheets()[0], shards=shards)
        self.start_ns = self.now
        self.first_sheet = self.engine.house.sheet
        self.on_cut = on_cut
        self.marks_now = dict(START)
        self.funding = dict.fromkeys(START, 0)
        self.grades = dict.fromkeys(START, 0)
        self.btc = 1_000_000_000
        self.accounts = []
        self.intents = []
        self.publish()
        self.cut()

    # Commands

    def send(self, kind, **fields):
        answer = super().send(kind, **fields)
        if isinstance(answer, Refused):
            self.log.pop()
            self.nonce -= 1
        return answer

    def cut(self, step_ns=MINUTE):
        self.closed_sheet = self.engine.house.sheet
        result = super().cut(step_ns)
        known = len(self.intents)
        for event in result.events:
            if event.kind == "intent_granted":
                f = event.fields
                self.intents.append((event.account, f["intent"], f["contract"], f["lots"]))
            elif event.kind == "house_intent":
                f = event.fields
                self.intents.append((0, f["intent"], f["contract"], f["lots"]))
        self.granted_last = len(self.intents) - known
        if self.on_cut is not None:
            self.on_cut(self, result)
        return result

    def publish(self, contracts=None):
        ids = tuple(sorted(START if contracts is None else contracts))
        self.send(
            cm.SetMarks,
            contract=ids,
            mark=tuple(self.marks_now[c] for c in ids),
            funding=tuple(self.funding[c] for c in ids),
            grade=tuple(self.grades[c] for c in ids),
            asset=(USDT, BTC),
            price=(1_000_000, self.btc),
        )

    def price(self, contract, ppm=0):
        """Return the value of one lot near the mark."""
        mark = self.marks_now[contract]
        return mark + mark * ppm // 1_000_000

    def valuation(self):
        """Return sheet and marks of the open cycle."""
        return Valuation(self.engine.house.sheet, self.engine.opened.marks)

    def set_mark(self, contract, mark):
        self.marks_now[contract], self.grades[contract] = mark, 0
        self.publish([contract])

    # Actions

    def open_account(self, *, root=0, mode=0, deposit=0, btc=0):
        ident = len(self.accounts) + 1
        self.ok(cm.OpenAccount, account=ident, root=root or 50 * ident, mode=mode)
        self.accounts.append(ident)
        if deposit:
            self.send(cm.Deposit, account=ident, asset=USDT, amount=deposit)
        if btc:
            self.send(cm.Deposit, account=ident, asset=BTC, amount=btc)
        return ident

    def deposit(self, account, asset, amount):
        return self.send(cm.Deposit, account=account, asset=asset, amount=amount)

    def withdraw(self, account, asset, amount):
        return self.send(cm.Withdraw, account=account, asset=asset, amount=amount)

    def trade(self, buyer, seller, contract, lots, ppm=0, **more):
        return self.send(
            cm.Fills,
            buyer=(buyer,),
            seller=(seller,),
            contract=(contract,),
            lots=(lots,),
            value=(lots * self.price(contract, ppm),),
            **{k: (v,) for k, v in more.items()},
        )

    def fill_intent(self, which, part_ppm, taker, ppm=0):
        """Fill some or too many lots of an intent that was granted at some time, whether or not it is still open."""
        if not self.intents:
            return None
        account, number, contract, lots = self.intents[which % len(self.intents)]
        size = max(1, abs(lots) * part_ppm // 1_000_000)
        if lots > 0:
            return self.trade(account, taker, contract, size, ppm, buyer_intent=number)
        return self.trade(taker, account, contract, size, -ppm, seller_intent=number)

    def finish_intent(self, which):
        if self.intents:
            account, number, _, _ = self.intents[which % len(self.intents)]
            self.send(cm.IntentDone, account=account, intent=number)

    def move(self, contract, ppm):
        mark = self.marks_now[contract]
        moved = mark + mark * ppm // 1_000_000
        limit = next(c.mark_cap for c in self.engine.house.sheet.contracts if c.id == contract)
        if contract == INVERSE:
            self.marks_now[contract] = max(-limit, min(-1_000, moved))
        else:
            self.marks_now[contract] = min(limit, max(limit // 1_000, moved))
        self.grades[contract] = 0
        self.publish([contract])

    def move_btc(self, ppm):
        self.btc = max(1_000_000, min(2_000_000_000, self.btc + self.btc * ppm // 1_000_000))
        self.publish()

    def fund_rate(self, contract, ppm):
        self.funding[contract] += self.marks_now[contract] * ppm // 1_000_000
        self.publish([contract])

    def stale(self, contract, grade):
        self.grades[contract] = grade
        self.publish([contract])

    def clamp(self, contract):
        """Publish a mark beyond its cap; it is used at the cap and the contract freezes until a new sheet."""
        sign = -1 if contract == INVERSE else 1
        cap = next(c.mark_cap for c in self.engine.house.sheet.contracts if c.id == contract)
        self.send(cm.SetMarks, contract=(contract,), mark=(sign * cap * 3,), funding=(0,), grade=(0,))
        self.marks_now[contract], self.funding[contract] = sign * cap, 0

    def set_sheet(self, sheet):
        self.send(cm.SetSheet, sheet=encode_sheet(sheet))

    def calm(self, cycles=12):
        """
        Bring the world to rest: fresh marks, resumed markets, rich funds and accounts; then cycles without trades.
        """
        for contract in START:
            self.send(cm.SetMarket, contract=contract, halted=False)
            self.grades[contract] = 0
        self.set_sheet(msgspec.structs.replace(chaos_sheets()[0], name=f"calm {self.nonce}"))
        for asset in (USDT, BTC):
            self.send(cm.FundDeposit, contract=-1, asset=asset, amount=10**15)
        for account in self.accounts:
            for asset in (USDT, BTC):
                self.send(cm.Deposit, account=account, asset=asset, amount=10**13)
        results = []
        for _ in range(cycles):
            self.publish()
            results.append(self.cut())
        return results


def wild_action(world: Chaos, rng: random.Random) -> None:
    """Do one random thing."""
    pick = rng.random()
    contract = rng.choice((LINEAR, LINEAR, ALT, INVERSE))
    known = rng.choice(world.accounts)
    other = rng.choice(world.accounts)
    lots = max(1, int(TYPICAL_LOTS[contract] * rng.random() ** 2 * 3))
    slip = rng.randrange(-20_000, 20_000)
    if pick < 0.34:
        world.trade(known, other, contract, lots, slip)
    elif pick < 0.37:
        pair = [known, rng.choice((UNKNOWN, 0))]
        rng.shuffle(pair)
        world.trade(*pair, contract, lots, slip)
    elif pick < 0.50:
        world.fill_intent(-1 - rng.randrange(6), rng.choice((300_000, 1_000_000, 1_000_000, 1_700_000)), other, 4_000)
    elif pick < 0.53:
        world.finish_intent(-1 - rng.randrange(6))
    elif pick < 0.60:
        world.deposit(known, rng.choice((USDT, BTC)), rng.randrange(1, 2_000_000_000))
    elif pick < 0.65:
        world.withdraw(known, rng.choice((USDT, BTC)), rng.randrange(1, 4_000_000_000))
    elif pick < 0.69:
        world.send(cm.Holds, account=(known,), contract=(contract,), bid=(lots,), ask=(rng.randrange(lots + 1),))
    elif pick < 0.73:
        world.send(cm.OrderCheck, account=known, contract=contract, lots=rng.choice((lots, -lots)))
    elif pick < 0.86:
        world.move(contract, rng.choice((-400_000, -80_000, -30_000, 30_000, 80_000, 600_000)))
    elif pick < 0.89:
        world.move_btc(rng.choice((-300_000, -50_000, 50_000, 300_000)))
    elif pick < 0.92:
        world.fund_rate(contract, rng.choice((-20_000, 1_000, 15_000)))
    elif pick < 0.94:
        world.stale(contract, rng.randrange(3))
    elif pick < 0.96:
        world.send(cm.SetMarket, contract=contract, halted=rng.random() < 0.4)
    elif pick < 0.98:
        world.send(cm.FundDeposit, contract=rng.choice((-1, contract)), asset=rng.choice((USDT, BTC)), amount=10**8)
    elif pick < 0.985:
        world.clamp(contract)
    else:
        sheet = rng.choice(chaos_sheets())
        world.set_sheet(msgspec.structs.replace(sheet, name=f"{sheet.name} {world.nonce}"))


def wild_history(seed: int, *, cycles: int = 30, accounts: int = 8, actions: int = 6, shards: int = 1, check=None):
    """
    Return a world after `cycles` random cycles from `seed`; `check(world, result)` runs after each cut.
    """
    rng = random.Random(seed)
    world = Chaos(shards=shards, on_cut=check)
    for _ in range(accounts):
        root = 7 if rng.random() < 0.2 else 0
        mode = rng.choice((0, 0, 0, 0, 0, 1, 2))
        deposit = rng.randrange(0, 3_000_000_000)
        world.open_account(root=root, mode=mode, deposit=deposit, btc=rng.randrange(0, 3_000_000))
    for _ in range(cycles):
        for _ in range(rng.randrange(actions + 1)):
            wild_action(world, rng)
        world.cut(rng.choice((5 * SECOND, MINUTE, MINUTE, MINUTE, 10 * MINUTE)))
    return world
