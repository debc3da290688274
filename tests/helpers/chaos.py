"""
A small world in which anything may happen: actions that random tests choose from, each a few commands.

`Chaos` drives one engine and logs every accepted command and cut, so that a history can be dealt again to others.
Prices move by parts per million of what they were; sizes are bounded so that levels of all kinds are reached.
"""

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

    def __init__(self, sheet=None, *, shards=1, on_cut=None, traders=1):
        """`on_cut(world, result)` runs after every cut; with two `traders` nobody trades with himself."""
        super().__init__(sheet or chaos_sheets()[0], shards=shards)
        self.start_ns = self.now
        self.first_sheet = self.engine.house.sheet
        self.on_cut = on_cut
        self.traders = traders
        self.marks_now = dict(START)
        self.funding = dict.fromkeys(START, 0)
        self.grades = dict.fromkeys(START, 0)
        self.btc = 1_000_000_000
        self.accounts = []
        self.intents = []
        self.publish()
        self.cut()

    # Commands

    def send(self, kind, /, **fields):
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
        if buyer == seller and self.traders == 2:
            return None
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


class Dice:
    """SplitMix64: the same throws on every version of Python."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1."""
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return (z ^ (z >> 31)) % n

    def pick(self, options):
        """Return one of the options."""
        return options[self.below(len(options))]


def _trade(world, dice, contract, lots):
    world.trade(dice.pick(world.accounts), dice.pick(world.accounts), contract, lots, dice.below(40_000) - 20_000)


def _trade_unknown(world, dice, contract, lots):
    known, other = dice.pick(world.accounts), dice.pick((UNKNOWN, 0))
    pair = (known, other) if dice.below(2) else (other, known)
    world.trade(*pair, contract, lots, dice.below(40_000) - 20_000)


def _fill_intent(world, dice, contract, lots):
    part = dice.pick((300_000, 1_000_000, 1_000_000, 1_700_000))
    world.fill_intent(-1 - dice.below(6), part, dice.pick(world.accounts), 4_000)


def _deposit(world, dice, contract, lots):
    world.deposit(dice.pick(world.accounts), dice.pick((USDT, BTC)), 1 + dice.below(2_000_000_000))


def _rescue(world, dice, contract, lots):
    """Pay in for whoever is called or worse."""
    for account in world.accounts:
        if world.engine.read(account) and world.engine.read(account).level >= 2:
            world.deposit(account, USDT, 1_500_000_000)


def _withdraw(world, dice, contract, lots):
    world.withdraw(dice.pick(world.accounts), dice.pick((USDT, BTC)), 1 + dice.below(4_000_000_000))


def _hold(world, dice, contract, lots):
    account = dice.pick(world.accounts)
    world.send(cm.Holds, account=(account,), contract=(contract,), bid=(lots,), ask=(dice.below(lots + 1),))


def _check(world, dice, contract, lots):
    sign = dice.pick((1, -1))
    world.send(cm.OrderCheck, account=dice.pick(world.accounts), contract=contract, lots=sign * lots)


def _move(world, dice, contract, lots):
    world.move(contract, dice.pick((-400_000, -80_000, -30_000, -10_000, 10_000, 30_000, 80_000, 600_000)))


def _move_btc(world, dice, contract, lots):
    world.move_btc(dice.pick((-300_000, -50_000, 50_000, 300_000)))


def _pay_into_fund(world, dice, contract, lots):
    world.send(cm.FundDeposit, contract=dice.pick((-1, contract)), asset=dice.pick((USDT, BTC)), amount=10**8)


def _new_sheet(world, dice, contract, lots):
    sheet = dice.pick(chaos_sheets())
    world.set_sheet(msgspec.structs.replace(sheet, name=f"{sheet.name} {world.nonce}"))


ACTIONS = (
    (34, _trade),
    (3, _trade_unknown),
    (13, _fill_intent),
    (3, lambda world, dice, contract, lots: world.finish_intent(-1 - dice.below(6))),
    (7, _deposit),
    (2, _rescue),
    (5, _withdraw),
    (4, _hold),
    (4, _check),
    (13, _move),
    (3, _move_btc),
    (3, lambda world, dice, contract, lots: world.fund_rate(contract, dice.pick((-20_000, 1_000, 15_000)))),
    (2, lambda world, dice, contract, lots: world.stale(contract, dice.below(3))),
    (2, lambda world, dice, contract, lots: world.send(cm.SetMarket, contract=contract, halted=dice.below(5) < 2)),
    (2, _pay_into_fund),
    (1, lambda world, dice, contract, lots: world.clamp(contract) if dice.below(3) == 0 else None),
    (1, _new_sheet),
)
_DECK = tuple(action for weight, action in ACTIONS for _ in range(weight))


def wild_action(world: Chaos, dice: Dice) -> None:
    """Do one random thing."""
    contract = dice.pick((LINEAR, LINEAR, ALT, INVERSE))
    lots = 1 + TYPICAL_LOTS[contract] * 3 * dice.below(1_000) ** 2 // 1_000**2
    dice.pick(_DECK)(world, dice, contract, lots)


def wild_history(seed: int, *, cycles: int = 30, accounts: int = 8, actions: int = 6, shards: int = 1, world=None):
    """
    Return a world (a new one, or `world`) after `cycles` random cycles from `seed`.
    """
    dice = Dice(seed)
    world = world or Chaos(shards=shards)
    for _ in range(accounts):
        root = 7 if dice.below(5) == 0 else 0
        mode = dice.pick((0, 0, 0, 0, 0, 1, 2))
        world.open_account(root=root, mode=mode, deposit=dice.below(3_000_000_000), btc=dice.below(3_000_000))
    for _ in range(cycles):
        for _ in range(dice.below(actions + 1)):
            wild_action(world, dice)
        world.cut(dice.pick((5 * SECOND, MINUTE, MINUTE, MINUTE, 10 * MINUTE)))
    return world
