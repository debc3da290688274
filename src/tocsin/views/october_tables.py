"""
The October replay as tables and sentences; the terminal, the report page and JSON show the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.lab.october.outcome import Fate, Outcome
from tocsin.lab.october.study import Column, Story
from tocsin.views.numbers import format_compact, format_percent, format_time
from tocsin.views.tables import Table

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row of the result.

    Attributes:
        name: What it says.
        show: Outcome to text.
        measure: What to compare where less is better, or None where neither is better.
    """

    name: str
    show: Callable[[Outcome], str]
    measure: Callable[[Outcome], int] | None = None


def _count(field: str, *, less_is_better: bool = False) -> Callable[[str], Row]:
    def build(name: str) -> Row:
        read: Callable[[Outcome], int] = lambda o: getattr(o, field)  # noqa: E731
        return Row(name, lambda o: f"{read(o):,}", read if less_is_better else None)

    return build


def _money(read: Callable[[Outcome], int], *, less_is_better: bool = False) -> Callable[[str], Row]:
    return lambda name: Row(name, lambda o: format_compact(read(o)), read if less_is_better else None)


def _peak(o: Outcome) -> str:
    return f"{format_compact(o.peak_per_minute)} {format_time(o.peak_at_s)}" if o.peak_per_minute else "0"


SECTIONS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "accounts",
        (
            _count("called")("called"),
            _count("cured")("  of these cured"),
            _count("liquidated", less_is_better=True)("liquidated: lots sold, bought or taken over"),
            _count("standing")("  of these holding a position at 23:00"),
            _count("taken_over", less_is_better=True)("  of these taken over whole, at mark"),
        ),
    ),
    (
        "forced notional, USDT",
        (
            _money(lambda o: o.fills_notional)("  sold or bought in the market for accounts"),
            _money(lambda o: o.takeover_notional)("  taken over from accounts"),
            _money(lambda o: o.forced_notional, less_is_better=True)("together"),
            Row("peak in one minute, and when (UTC)", _peak, lambda o: o.peak_per_minute),
            _money(lambda o: o.forced_cost + o.fees, less_is_better=True)("cost of accounts' forced orders and fees"),
        ),
    ),
    (
        "losses beyond the accounts, USDT",
        (
            _money(lambda o: o.missing_at_takeover, less_is_better=True)("missing in accounts taken over"),
            _money(lambda o: o.left_at_takeover)("left in accounts taken over, to the funds"),
            _money(lambda o: o.market_funds_drawn, less_is_better=True)("drawn from market funds, gross"),
            _money(lambda o: o.global_fund_drawn, less_is_better=True)("drawn from the global fund, gross"),
            _money(lambda o: o.shared, less_is_better=True)("deficit shared by winners"),
            _count("shared_accounts")("  winners who paid"),
            Row(
                "  largest haircut of one winner's gains",
                lambda o: format_percent(o.largest_haircut_ppm, PPM) if o.shared else "–",
                lambda o: o.largest_haircut_ppm,
            ),
            _money(lambda o: o.unpaid, less_is_better=True)("unpaid at 23:00"),
        ),
    ),
    (
        "auto-deleveraging (ADL) of winners, at mark",
        (
            _count("adl_lots", less_is_better=True)("lots closed"),
            _money(lambda o: o.adl_notional, less_is_better=True)("notional closed, USDT"),
            _count("adl_accounts", less_is_better=True)("accounts touched"),
            _count("adl_whole", less_is_better=True)("  of these lost a whole position"),
            Row(
                "  part of their positions closed, median",
                lambda o: format_percent(o.adl_share_median_ppm, PPM) if o.adl_accounts else "–",
                lambda o: o.adl_share_median_ppm,
            ),
        ),
    ),
    (
        "who has what at 23:00 more than at 20:00, USDT",
        (
            Row("all accounts", lambda o: format_compact(o.accounts_change), lambda o: -o.accounts_change),
            Row(
                "market funds and global fund",
                lambda o: format_compact(o.market_funds_change + o.global_fund_change),
                lambda o: -(o.market_funds_change + o.global_fund_change),
            ),
            _money(lambda o: o.outside_change)("external account that took forced orders"),
            Row(
                "liquidated accounts kept of their equity",
                lambda o: format_percent(o.liquidated_end, o.liquidated_start),
                lambda o: -(o.liquidated_end * PPM // max(1, o.liquidated_start)),
            ),
        ),
    ),
    (
        "checks",
        (
            Row("residue of money and lots, must be 0", lambda o: f"{o.residue:,}"),
            Row("root of the last cycle", lambda o: o.root[:12]),
        ),
    ),
)


COMPARED = sum(row.measure is not None for _, part in SECTIONS for row in part)
"""How many rows can be better or worse."""


def build_result(columns: Mapping[Column, Outcome]) -> Table:
    """
    Return the result, one column for each set of rules.
    """
    rows: list[tuple[str, ...]] = []
    for heading, part in SECTIONS:
        rows.append((heading,))
        rows += [(f"  {row.name}", *(row.show(o) for o in columns.values())) for row in part]
    return Table("", ("the same accounts under", *(c.value for c in columns)), tuple(rows))


def list_worse(of: Outcome, against: Outcome) -> list[tuple[str, str, str]]:
    """
    Return each measure in which the first outcome is worse: its name, what the second and what the first has.
    """
    out: list[tuple[str, str, str]] = []
    for heading, part in SECTIONS:
        for row in part:
            if row.measure is not None and row.measure(of) > row.measure(against):
                name = f"{_SUBJECTS.get(heading, '')}{row.name.strip().split(':', 1)[0].removeprefix('of these ')}"
                out.append((name, row.show(against), row.show(of)))
    return out


def build_worse(columns: Mapping[Column, Outcome]) -> Table:
    """
    Return where Tocsin's rules are not better than venue-style ones, row by row.
    """
    venue, ours = columns[Column.VENUE], columns[Column.TOCSIN]
    rows = tuple(list_worse(ours, venue)) or (("nothing in this run; other seeds and leverages may differ", "", ""),)
    return Table("Not better under Tocsin's rules in this run", ("", Column.VENUE.value, Column.TOCSIN.value), rows)


@dataclass(frozen=True, slots=True)
class Measure:
    """
    A number of an outcome that ranges and side tables show: a count, or money if `unit` is above 1.
    """

    name: str
    read: Callable[[Outcome], int]
    unit: int = 1

    def show(self, value: int) -> str:
        """Return a value as text."""
        return f"{value:,}" if self.unit == 1 else format_compact(value, unit=self.unit)


_SUBJECTS = {
    "accounts": "accounts: ",
    "forced notional, USDT": "forced, USDT: ",
    "auto-deleveraging (ADL) of winners, at mark": "ADL: ",
    "who has what at 23:00 more than at 20:00, USDT": "at 23:00: ",
}

MEASURES: tuple[Measure, ...] = (
    Measure("accounts called", lambda o: o.called),
    Measure("  cured", lambda o: o.cured),
    Measure("accounts liquidated", lambda o: o.liquidated),
    Measure("  still standing", lambda o: o.standing),
    Measure("forced notional, USDT", lambda o: o.forced_notional, PPM),
    Measure("peak in one minute, USDT", lambda o: o.peak_per_minute, PPM),
    Measure("missing in accounts taken over, USDT", lambda o: o.missing_at_takeover, PPM),
    Measure("drawn from all funds, USDT", lambda o: o.market_funds_drawn + o.global_fund_drawn, PPM),
    Measure("deficit shared by winners, USDT", lambda o: o.shared, PPM),
    Measure("accounts touched by ADL", lambda o: o.adl_accounts),
    Measure("notional closed by ADL, USDT", lambda o: o.adl_notional, PPM),
    Measure("external account P&L, USDT", lambda o: o.outside_change, PPM),
)


def build_side_table(title: str, names: Sequence[str], outcomes: Sequence[Outcome]) -> Table:
    """
    Return one column for each outcome, the measures as rows.
    """
    rows = [(m.name, *(m.show(m.read(o)) for o in outcomes)) for m in MEASURES]
    return Table(title, ("", *names), tuple(rows))


def build_range_table(title: str, columns: Sequence[tuple[str, Sequence[Outcome]]]) -> Table:
    """
    Return minimum, median and maximum of each measure, over the outcomes of each column.
    """
    rows: list[tuple[str, ...]] = []
    for m in MEASURES:
        cells = [m.name]
        for _, outcomes in columns:
            values = sorted(m.read(o) for o in outcomes)
            points = (values[0], values[(len(values) - 1) // 2], values[-1])
            cells += [m.show(v) for v in points]
        rows.append(tuple(cells))
    residues = [str(sum(o.residue for o in outcomes)) for _, outcomes in columns]
    rows.append(("conservation residue, all runs", *(cell for r in residues for cell in ("", r, ""))))
    heads = [text for name, _ in columns for text in (f"{name}: min", "median", "max")]
    return Table(title, ("", *heads), tuple(rows))


def build_published(published: Mapping[str, Any]) -> Table:
    """
    Return the published figures of the day; they are of other accounts than ours.
    """
    h = published["hyperliquid_20251010"]
    fills, adl, needed = h["liquidation_notional_usd"], h["adl_notional_usd"], h["haircut_needed_usd"]
    rows = (
        (
            "liquidation fills, counter-fills of ADL included, USD",
            format_compact(fills, unit=1),
        ),
        ("closed by ADL, USD", format_compact(adl, unit=1)),
        ("accounts touched by ADL", f"{h['adl_accounts']:,}"),
        ("  median position closed, USD", f"{h['adl_median_account_usd']:,}"),
        ("winners' gains that ADL needed to take, USD", format_compact(needed, unit=1)),
        ("winners' gains that ADL took, USD", format_compact(h["haircut_taken_usd"], unit=1)),
    )
    return Table(
        "For scale, another set of accounts: published of Hyperliquid, 10 October 2025", ("", "that day"), rows
    )


_FATES = {
    Fate.PAID: "in profit, gains taken",
    Fate.ADL: "in profit, lots closed by ADL",
    Fate.CALLED: "called",
    Fate.CURED: "called, cured",
    Fate.REDUCED: "liquidated in part",
    Fate.CLOSED: "liquidated whole",
    Fate.TAKEN_OVER: "taken over",
}


def describe_story(story: Story) -> str:
    """
    Return an account's name to read by, such as `account 7 - taken over at 21:14:35`.
    """
    return f"account {story.account} - {_FATES[story.fate]} at {format_time(story.time_s, seconds=True)}"


def describe_elsewhere(story: Story) -> str:
    """
    Return what happened to the account under venue-style rules.
    """
    if story.elsewhere is None:
        return "untouched under venue-style rules"
    when = format_time(story.elsewhere_s, seconds=True)
    return f"under venue-style rules {_FATES[story.elsewhere]} at {when}"
