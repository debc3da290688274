"""
`PlainStore`: the account store as an executable specification, in Python integers (rules AC-001 to AC-012).

Read it beside the rulebook: each method of `_apply_*` is one row kind. It is exact and slow on purpose.
"""

from tocsin.accounts import money
from tocsin.accounts.booking import book_fill
from tocsin.accounts.leaf import decode_leaf, encode_leaf
from tocsin.accounts.store import Results, RowKind, Rows
from tocsin.core.errors import InvariantBroken, Reason
from tocsin.core.limits import CASH_MAX, HOLD_CAPS_MAX, LOTS_MAX, POSITIONS_MAX
from tocsin.margin.levels import compute_level
from tocsin.margin.requirement import INITIAL, SCALE, compute_requirement, sum_requirement
from tocsin.margin.state import AccountClass, AccountState, Level, Mode
from tocsin.margin.valuation import Line, Valuation, close_at_mark, compute_equity
from tocsin.sheet.terms import Kind

Result = money.Result


class PlainStore:
    """
    Accounts in a dictionary. With `bounded=False` (the ClearingHouse's own accounts) no cap applies.
    """

    def __init__(self, valuation: Valuation, *, bounded: bool = True) -> None:
        self._accounts: dict[int, AccountState] = {}
        self._valuation = valuation
        self._bounded = bounded
        self._handlers = {
            RowKind.CASH: self._apply_cash,
            RowKind.TRADE: self._apply_trade,
            RowKind.WITHDRAW: self._apply_withdraw,
            RowKind.RELEASE: self._apply_release,
            RowKind.RECALL: self._apply_recall,
            RowKind.HOLD: self._apply_hold,
            RowKind.CHECK: self._apply_check,
            RowKind.TAKE: self._apply_take,
            RowKind.OTHERS: self._apply_others,
            RowKind.OWNER: self._apply_owner,
            RowKind.MODE: self._apply_mode,
            RowKind.DEBIT: self._apply_debit,
            RowKind.CREDIT: self._apply_credit,
            RowKind.BORROW: self._apply_borrow,
            RowKind.ACCRUE: self._apply_accrue,
            RowKind.CONVERT: self._apply_convert,
            RowKind.RESCALE: self._apply_rescale,
        }

    def apply(self, rows: Rows) -> Results:
        """Apply rows in order; a refused row changes nothing."""
        out = Results()
        for kind, ident, key, a, b, c, d, e in zip(
            rows.kind, rows.account, rows.key, rows.a, rows.b, rows.c, rows.d, rows.e, strict=True
        ):
            if kind == RowKind.OPEN:
                out.add(*self._apply_open(ident, a, b, c, d))
                continue
            account = self._accounts.get(ident)
            if account is None:
                out.add(Reason.UNKNOWN_ACCOUNT)
                continue
            result = self._handlers[RowKind(kind)](account, key, a, b, c, d)
            if e and not result[0]:
                asset = self._valuation.lines[key].asset
                money.add_cash(account, asset, -e)
            out.add(*result)
        return out

    def set_valuation(self, valuation: Valuation) -> None:
        """Set sheet and marks of the cycle; no account changes."""
        self._valuation = valuation

    def crossings(self, accounts: list[int] | None = None) -> list[tuple[int, Level, Level]]:
        """Set levels from equity and requirement; return the changes, ascending by account."""
        out: list[tuple[int, Level, Level]] = []
        valuation = self._valuation
        for ident in sorted(self._accounts) if accounts is None else accounts:
            account = self._accounts.get(ident)
            if account is None:
                continue
            level = compute_level(account, valuation)
            if level != account.level:
                out.append((ident, account.level, level))
                account.level = level
        return out

    def read(self, account: int) -> AccountState | None:
        """Return one account; the caller must not change it."""
        return self._accounts.get(account)

    def accounts(self) -> list[int]:
        """Return all account ids, ascending."""
        return sorted(self._accounts)

    def leaves(self, accounts: list[int]) -> list[bytes]:
        """Return leaf bytes in the order asked for."""
        return [encode_leaf(self._accounts[a]) for a in accounts]

    def load(self, leaves: list[bytes]) -> None:
        """Add accounts from leaf bytes."""
        for data in leaves:
            account = decode_leaf(data)
            self._accounts[account.id] = account

    # One method a row kind. Each returns (reason, x, y) and changes nothing unless the reason is OK.

    def _apply_open(self, ident: int, root: int, mode: int, kind: int, recourse: int) -> Result:
        if ident in self._accounts:
            return Reason.ACCOUNT_EXISTS, 0, 0
        if mode == Mode.PORTFOLIO and self._valuation.sheet.portfolio is None:
            return Reason.MODE_NOT_ALLOWED, 0, 0
        account = AccountState(ident, root, Mode(mode), kind=AccountClass(max(0, kind)), recourse=recourse > 0)
        self._accounts[ident] = account
        return Reason.OK, 0, 0

    def _apply_cash(self, account: AccountState, asset: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        if asset not in self._valuation.assets:
            return Reason.UNKNOWN_ASSET, 0, 0
        after = account.cash.get(asset, 0) + amount
        if (
            self._bounded
            and amount > 0
            and after > 0
            and not money.cash_fits(self._valuation, account.cash, asset, after)
        ):
            return Reason.ADMISSION_BOUND, abs(after), CASH_MAX
        money.set_cash(account, asset, after)
        return Reason.OK, after, 0

    def _apply_trade(self, account: AccountState, contract: int, lots: int, value: int, bid: int, ask: int) -> Result:
        line = self._valuation.lines.get(contract)
        if line is None:
            return Reason.UNKNOWN_CONTRACT, 0, 0
        if line.terms.kind == Kind.SPOT:
            return self._exchange(account, line, lots, value, bid, ask)
        held, entry = account.positions.get(contract, (0, 0))
        booked = book_fill(held, entry, lots, value, line.funding)
        cash = account.cash.get(line.asset, 0) + booked.cash
        if self._bounded:
            reason = self._admit(account, line, contract, lots, value, booked.lots, cash)
            if reason:
                return reason, 0, 0
        if booked.lots:
            account.positions[contract] = (booked.lots, booked.entry)
        else:
            if booked.entry:
                raise InvariantBroken(f"account {account.id}: entry sum {booked.entry} left without lots")
            account.positions.pop(contract, None)
        money.set_cash(account, line.asset, cash)
        self._report_hold(account, line, bid, ask)
        return Reason.OK, booked.lots, booked.cash

    def _exchange(self, account: AccountState, line: Line, lots: int, value: int, bid: int, ask: int) -> Result:
        """Book a spot fill: base units for the value, both into cash; x lots, y the change of quote cash (AC-025)."""
        base, units = line.terms.base, lots * line.terms.base_units
        got, paid = account.cash.get(base, 0) + units, account.cash.get(line.asset, 0) - value
        if self._bounded:
            trial = {**account.cash, base: got}
            if abs(value) > abs(lots) * line.terms.mark_cap:
                return Reason.OUT_OF_RANGE, 0, 0
            if abs(lots) > line.terms.position_cap:
                return Reason.POSITION_CAP, 0, 0
            if abs(got) > CASH_MAX or not money.cash_fits(self._valuation, trial, line.asset, paid):
                return Reason.ADMISSION_BOUND, 0, 0
        money.set_cash(account, base, got)
        money.set_cash(account, line.asset, paid)
        self._report_hold(account, line, bid, ask)
        return Reason.OK, 0, -value

    def _report_hold(self, account: AccountState, line: Line, bid: int, ask: int) -> None:
        """Keep the hold that a fill reports, cut to what the bound allows; a 65th contract is not kept (UN-010)."""
        if bid < 0 and ask < 0:
            return
        contract = line.terms.id
        old = account.holds.get(contract, (0, 0))
        most = HOLD_CAPS_MAX * line.terms.position_cap if self._bounded else LOTS_MAX
        if contract in account.holds or len(account.holds) < POSITIONS_MAX:
            bid, ask = bid if bid >= 0 else old[0], ask if ask >= 0 else old[1]
            self._set_hold(account, contract, min(bid, most), min(ask, most))

    def _admit(
        self, account: AccountState, line: Line, contract: int, lots: int, value: int, after: int, cash: int
    ) -> Reason:
        """
        Say whether a fill may be booked so that every later sum stays inside int64 (rule UN-010).
        """
        if abs(value) > abs(lots) * line.terms.mark_cap:
            return Reason.OUT_OF_RANGE
        if abs(after) > line.terms.position_cap and abs(after) > abs(after - lots):
            return Reason.POSITION_CAP
        if contract not in account.positions:
            if account.mode == Mode.ISOLATED and account.positions:
                return Reason.CONTRACT_NOT_ALLOWED
            if len(account.positions) >= POSITIONS_MAX:
                return Reason.POSITIONS_MAX
        if is_reducing(after - lots, after):
            # What reduces is always booked: it moves a bounded P&L into cash, and forced closes may not fail.
            return Reason.OK
        return Reason.OK if money.cash_fits(self._valuation, account.cash, line.asset, cash) else Reason.ADMISSION_BOUND

    def _apply_withdraw(self, account: AccountState, asset: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        if asset not in self._valuation.assets:
            return Reason.UNKNOWN_ASSET, 0, 0
        return money.withdraw(account, self._valuation, asset, amount)

    def _apply_debit(self, account: AccountState, asset: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        if asset not in self._valuation.assets:
            return Reason.UNKNOWN_ASSET, 0, 0
        return money.debit(account, self._valuation, asset, amount)

    def _apply_credit(self, account: AccountState, asset: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        return money.credit(account, self._valuation, asset, amount)

    def _apply_borrow(self, account: AccountState, asset: int, amount: int, cap: int, _c: int, _d: int) -> Result:
        if asset not in self._valuation.assets:
            return Reason.UNKNOWN_ASSET, 0, 0
        return money.borrow(account, self._valuation, asset, amount, cap)

    def _apply_accrue(self, account: AccountState, asset: int, charge: int, credit: int, _c: int, _d: int) -> Result:
        return money.accrue(account, self._valuation, asset, charge, credit)

    def _apply_convert(self, account: AccountState, asset: int, got: int, other: int, given: int, _d: int) -> Result:
        return money.convert(account, asset, got, other, given)

    def _apply_rescale(self, account: AccountState, contract: int, k: int, _b: int, _c: int, _d: int) -> Result:
        """Multiply lots and holds by k; entry sums stay, marks are divided by k at the same time (rule AC-038)."""
        if contract in account.positions:
            lots, entry = account.positions[contract]
            account.positions[contract] = (lots * k, entry)
        if contract in account.holds:
            bid, ask = account.holds[contract]
            account.holds[contract] = (bid * k, ask * k)
        return Reason.OK, account.positions.get(contract, (0, 0))[0], 0

    def _apply_others(self, account: AccountState, key: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        if amount:
            account.others[key] = amount
        else:
            account.others.pop(key, None)
        return Reason.OK, amount, 0

    def _apply_owner(self, account: AccountState, _key: int, owner: int, _b: int, _c: int, _d: int) -> Result:
        account.owner = owner
        if not owner:
            account.others.clear()
        return Reason.OK, owner, 0

    def _apply_mode(self, account: AccountState, _key: int, mode: int, _b: int, _c: int, _d: int) -> Result:
        """
        Change the mode of an account that stands at `initial` in the new one (rule AC-033); x needed, y equity.
        """
        if Mode.EXTERNAL in (mode, account.mode) or (mode == Mode.PORTFOLIO and not self._valuation.sheet.portfolio):
            return Reason.MODE_NOT_ALLOWED, 0, 0
        if mode == Mode.ISOLATED and len({*account.positions, *account.holds}) > 1:
            return Reason.CONTRACT_NOT_ALLOWED, 0, 0
        trial = account.copy()
        trial.mode = Mode(mode)
        needed, equity = compute_requirement(trial, self._valuation, INITIAL), compute_equity(trial, self._valuation)
        if equity < needed:
            return Reason.INSUFFICIENT_MARGIN, needed, equity
        account.mode = trial.mode
        return Reason.OK, needed, equity

    def _apply_release(self, account: AccountState, asset: int, amount: int, _b: int, _c: int, _d: int) -> Result:
        left = account.in_transit.get(asset, 0) - amount
        if left < 0:
            raise InvariantBroken(f"account {account.id}: released {amount}, more than is in transit")
        if left:
            account.in_transit[asset] = left
        else:
            account.in_transit.pop(asset, None)
        return Reason.OK, amount, left

    def _apply_recall(self, account: AccountState, asset: int, _a: int, _b: int, _c: int, _d: int) -> Result:
        moved = account.in_transit.pop(asset, 0)
        money.set_cash(account, asset, account.cash.get(asset, 0) + moved)
        return Reason.OK, moved, 0

    def _apply_hold(self, account: AccountState, contract: int, bid: int, ask: int, _c: int, _d: int) -> Result:
        line = self._valuation.lines.get(contract)
        if line is None:
            return Reason.UNKNOWN_CONTRACT, 0, 0
        lots = account.positions.get(contract, (0, 0))[0]
        cap = line.terms.position_cap
        if not (0 <= bid <= LOTS_MAX and 0 <= ask <= LOTS_MAX):
            return Reason.OUT_OF_RANGE, max(bid, ask), LOTS_MAX
        if (bid and lots + bid > cap) or (ask and ask - lots > cap):
            return Reason.POSITION_CAP, max(lots + bid, ask - lots), cap
        if contract not in account.holds and len(account.holds) >= POSITIONS_MAX:
            return Reason.POSITIONS_MAX, 0, 0
        self._set_hold(account, contract, bid, ask)
        return Reason.OK, 0, 0

    def _apply_check(self, account: AccountState, contract: int, lots: int, only: int, _c: int, _d: int) -> Result:
        """
        Say whether an order may be placed: it reduces, or equity covers `initial` with it at its worst (rule AC-008).

        x is the requirement with the order, y the equity, in valuation units. b = 1 in the row allows for reducing
        only.
        """
        line = self._valuation.lines.get(contract)
        if line is None:
            return Reason.UNKNOWN_CONTRACT, 0, 0
        held = account.positions.get(contract, (0, 0))[0]
        bid, ask = account.holds.get(contract, (0, 0))
        worst = held + bid + lots if lots > 0 else held - ask + lots
        # The cap is the owner's: what its other accounts hold counts against it (rule AC-034).
        reach = abs(worst) + (0 if is_reducing(held, worst) else account.others.get(contract, 0))
        if reach > line.terms.position_cap:
            return Reason.POSITION_CAP, reach, line.terms.position_cap
        if contract not in account.positions:
            others = len({*account.positions, *account.holds} - {contract})
            if account.mode == Mode.ISOLATED and others:
                return Reason.CONTRACT_NOT_ALLOWED, 0, 0
            if others >= POSITIONS_MAX:
                return Reason.POSITIONS_MAX, others + 1, POSITIONS_MAX
        if line.terms.kind == Kind.SPOT and not money.can_deliver(account, self._valuation, line, lots):
            return Reason.INSUFFICIENT_CASH, abs(lots), 0
        equity = compute_equity(account, self._valuation)
        before = sum_requirement(account, self._valuation, INITIAL)
        trial = account.copy()
        trial.holds[contract] = (bid + lots, ask) if lots > 0 else (bid, ask - lots)
        after = sum_requirement(trial, self._valuation, INITIAL)
        needed = -(-after // SCALE)
        if is_reducing(held, worst) and after <= before:
            return Reason.OK, needed, equity
        if only == 1:
            return Reason.REDUCE_ONLY, needed, equity
        if account.mode == Mode.EXTERNAL or equity >= needed:
            return Reason.OK, needed, equity
        return Reason.INSUFFICIENT_MARGIN, needed, equity

    def _apply_take(self, account: AccountState, contract: int, _a: int, _b: int, _c: int, _d: int) -> Result:
        """Close at mark: cash gets q x (m - F) - e; x lots, y booked value q x (m - F)."""
        lots = account.positions.get(contract, (0, 0))[0]
        if lots == 0:
            return Reason.OK, 0, 0
        line = self._valuation.lines[contract]
        close_at_mark(account, line, -lots)
        return Reason.OK, lots, lots * line.net

    @staticmethod
    def _set_hold(account: AccountState, contract: int, bid: int, ask: int) -> None:
        if bid or ask:
            account.holds[contract] = (bid, ask)
        else:
            account.holds.pop(contract, None)


def is_reducing(before: int, after: int) -> bool:
    """
    Return whether going from `before` to `after` lots neither grows nor changes sign (rule AC-009).
    """
    return abs(after) <= abs(before) and before * after >= 0
