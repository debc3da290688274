"""
The venue door on inputs beyond the shipped cases: forms of writing, defaults, both sides, refusals.
"""

from typing import Any

import pytest

from tocsin.conform import Case, Status
from tocsin.conform.doors import VENUE
from tocsin.conform.run import run_case

LIQUIDATED: dict[str, Any] = {
    "positions": {"ETH": {"size": 10, "entry": 2000}},
    "margin": 2180,
    "oracle": {"ETH": 1800},
    "counterparty_margin": 500,
    "mmr": "0.05",
    "liquidation_fee_rate": "0.001",
}
AUCTION = {"maintenance_margin": -100, "mark_to_market": 300, "buffer_margin_pct": "0.1"}
RISK = {"linear_slippage": "0.25", "risk_factor_long": "0.2", "risk_factor_short": "0.1"}
SCALING = {"search": "1.5", "initial": 2, "release": "3"}
ADL = "adl_at_bankruptcy_price"
FILLABLE = "liquidation_fillable_price"
WATERFALL = "liquidation_waterfall"
PRICE = "liquidation_price_identity"

CASES: list[tuple[str, dict[str, Any], Any]] = [
    # dYdX: amounts in words, fractions of a coin, several positions, oracle by asset, parts of a position.
    (ADL, {"liquidated": {"side": "long 0.5 BTC", "usdc": -26000},
           "offsetting": {"side": "short 0.5 BTC", "usdc": 30000}, "oracle": 50000},
     {"offsetting_usdc_after": 4000, "liquidated_usdc_after": 0}),
    (ADL, {"liquidated": {"side": "short 1 ETH and long 1 BTC", "usdc": -48000},
           "offsetting": {"side": "short 1 BTC, long 1 ETH", "usdc": 60000}, "oracle": {"BTC": 50000, "ETH": 3000}},
     {"liquidated_usdc_after": "-50943.396226", "quote_quantums_delta": -2943396226}),
    (ADL, {"liquidated": {"side": "short 1 BTC", "usdc": 49000}, "offsetting": {"side": "long 1 BTC", "usdc": 0},
           "oracle": 50000, "delta_quantums": 50_000_000}, {"offsetting_usdc_after": 24500}),
    (ADL, {"liquidated": {"side": "short 1 BTC", "usdc": 49000}, "offsetting": {"side": "short 1 BTC", "usdc": 0},
           "oracle": 50000}, {"offsetting_usdc_after": "rejected"}),
    (ADL, {"liquidated": {"side": "short 1 BTC", "usdc": 60000}, "offsetting": {"side": "long 1 BTC"}, "oracle": 50000,
           "final_settlement": True}, {"offsetting_usdc_after": 50000}),
    (FILLABLE, {"usdc": 60000, "positions": [{"quantums": -100000000, "price_usd": 50000, "imf_ppm": 200000,
                                              "maintenance_fraction_ppm": 500000}]},
     {"fillable_price_quote_quantums_per_base_quantum": "500"}),
    (FILLABLE, {"usdc": 0, "positions": [{"asset": "BTC", "quantums": 0, "price_usd": 1}]},
     {"fillable_price_quote_quantums_per_base_quantum": None}),
    ("liquidation_position_block_limits", {"eth_quantums": -2_000_000_000, "price": 3000, "max_portion_ppm": 300_000},
     {"min_liquidatable": 0, "max_liquidatable": 1_800_000_000, "size_delta_quantums": 600_000_000}),
    ("open_interest_scaled_initial_margin", {"initial_margin_ppm": 100_000, "quote_quantums": 1_000_001,
                                             "custom_imf_ppm": 500_000}, {"initial_margin_quote_quantums": 500_001}),
    # Drift: defaults, the limits by name, no answer.
    ("partial_liquidation_base_size", {"margin_shortage_1e6": 1, "margin_ratio_1e4": 100, "liquidator_fee_1e6": 10_000,
                                       "oracle_price_1e6": 10**8}, {"base_amount_1e9": "u64::MAX"}),
    ("spot_liability_transfer_size", {"margin_shortage_1e6": 1, "asset_weight_1e4": 12000,
                                      "liability_weight_1e4": 12000, "liability_price_1e6": 10**6},
     {"liability_transfer": "u128::MAX"}),
    ("loss_socialisation_funding_index", {"loss_1e6": -7, "long_base_1e9": 3, "short_base_1e9": -1},
     {"cumulative_funding_delta_1e9": 1_750_000_000_000}),
    ("size_dependent_weights", {"size_1e9": -(10**12), "imf_factor_1e6": 10_000, "maintenance_asset_weight": 8000},
     {"maintenance_asset_weight_1e4": 8000}),
    ("size_dependent_weights", {"size_1e9": 0, "imf_factor_1e6": 10, "initial_liability_weight": 10000,
                                "bounded": False}, {"liability_weight_1e4": 8000}),
    # Dango: asks of a short, several levels, an empty book by name, prices per pair, no liquidation at the boundary.
    (WATERFALL, {**LIQUIDATED, "book_bids": {"ETH": [[3, 1790], [2, 1795], [9, 1781]]}},
     {"close": {"ETH": 8}, "deleveraged": {"ETH": 3}, "margin": "471.6", "counterparty_margin": 1154, "fee": "14.4"}),
    (WATERFALL, {**LIQUIDATED, "positions": {"ETH": {"size": -10, "entry": 1600}}, "book": "empty",
                 "book_asks": {"ETH": [[9, 1819], [1, "1818"]]}},
     {"bankruptcy_price": {"ETH": 1818}, "counterparty_margin": 2026, "margin": "421.6", "position": {"ETH": -2}}),
    (WATERFALL, {**LIQUIDATED, "margin": 2900}, {"equity": 900, "mm": 900, "close": None, "fee": "rejected"}),
    (WATERFALL, {**LIQUIDATED, "mmr": {"ETH": "0.02"}, "min_order_size": {"ETH": 10000}, "buffer": "0.1"},
     {"mm": 360, "close": {"ETH": 10}}),
    ("adl_regression", {"liquidated": {"side": "long", "size": 5, "entry": 2000, "margin": 1040},
                        "counterparty": {"side": "short", "size": 5, "entry": 2100},
                        "resting_bid": {"size": 1, "price": 100}, "oracle": 1700},
     {"bid_must_not_fill": True, "adl_price": 1792, "adl_pnl_counterparty": 1540, "equity_after": 0}),
    # Derive: a discount from its schedule, the engine's defaults, the reserve, who pays.
    ("partial_liquidation_max_proportion", {**AUCTION, "elapsed_s": 300}, {"max_proportion_per_mille_floor": 341}),
    ("partial_liquidation_max_proportion", {**AUCTION, "mark_to_market": -1, "discount": 1}, {"max_proportion": 1}),
    ("partial_liquidation_max_proportion", {**AUCTION, "maintenance_margin": 50, "discount": 1, "reserved_cash": 10},
     {"max_proportion": 0}),
    ("dutch_auction_bid_cost", {**AUCTION, "discount": 1, "percent": 1}, {"cash_from_bidder": "95.454545454545454545"}),
    ("dutch_auction_bid_cost", {"mark_to_market": 100, "reserved_cash": 40, "elapsed_s": 600, "percent": "0.25"},
     {"cash_from_bidder": 12}),
    ("dutch_auction_discount", {"elapsed_s": 601}, {"discount": "0.799888888888888888"}),
    ("insolvent_auction_payout", {"elapsed_s": 0, "mark_to_market": 100, "maintenance_margin": -300},
     {"cash_to_bidder": 0}),
    ("insolvent_auction_payout", {"elapsed_s": 900, "mark_to_market": -100, "maintenance_margin": -300,
                                  "security_module": 120}, {"paid_by_security_module": 120, "printed": 180}),
    # Others.
    ("skew_scaled_margin", {"positions": [{"size": 0, "price": 5}, {"size": 3, "price": 10, "min_im_ratio": "1/3"}]},
     {"initial_margin": 10, "maintenance_margin": 10}),
    ("liquidation_window_capacity", {"maker_fee": 0, "taker_fee": "0.01", "skew_scale": 1000, "window_seconds": 1,
                                     "position_size": -25, "calls_at_s": [5, 5, 6]},
     {"window_capacity": 10, "size_after": [-15, -15, -5]}),
    ("partial_liquidation_share", {"positions": [{"size": -1, "entry": 100, "mark": 100, "mmf": "0.1"}],
                                   "collateral": 10}, {"chosen_share": 0, "mmr": 10}),
    ("partial_liquidation_share", {"positions": [{"size": 1, "entry": 100, "mark": 100}], "collateral": 1, "mmf": "0.5",
                                   "share_multiple": "0.5"},
     {"chosen_share": 1, "table": [["0.5", 25, "12.5", "-11.5", None]]}),
    ("global_profit_haircut_h", {"vault": 100, "capital_total": 100, "pnl": [5, -5]}, {"h": 0, "effective": [0, 0]}),
    ("global_profit_haircut_h", {"vault": 0, "capital_total": 0, "positive_pnl": {}}, {"h": 1, "effective": {}}),
    ("o1_loss_socialisation", {"sum_principal": 3, "collateral": 2},
     {"equity_haircut_ratio": "1/3", "deficit_after": 0}),
    ("adl_score", {"candidates": [{"id": "x", "side": "long", "mark": 3, "entry": 2, "size": -4, "account_value": 6},
                                  {"id": "y", "side": "short", "mark": 3, "entry": 2, "notional": 1,
                                   "account_value": 0}]},
     {"scores_documented": {"x": 3, "y": None}, "rank_profit_first": ["x"]}),
    # Vega: one factor for a side, fractions of a contract, orders, funding from averages, a price that is not defined.
    ("margin_maintenance", {"position": 1, "mark_price": 15905, "linear_slippage": "0.25", "risk_factor": "0.1"},
     {"maintenance": "5566.75"}),
    ("margin_maintenance", {"position": 1, "mark_price": 15905, "linear_slippage": "0.25", "risk_factor": "0.1"},
     {"maintenance": 5567}),
    ("perp_funding_margin", {"position": -1, "mark_price": 1400, "linear_slippage": "0.25", "risk_factor": "0.1",
                             "margin_funding_factor": "0.5", "s_twap": 1600, "f_twap": 1400,
                             "clamp_upper_bound": "0.05",
                             "interest_rate": "0.05", "delta_t": "0.002"}, {"total_margin": 550}),
    ("margin_levels_cross", {"position": -13, "open_sells": 7, "mark_price": 100, "position_factor": 10, **RISK,
                             "scaling": SCALING}, {"maintenance": 53, "search": 79, "initial": 106, "release": 159}),
    ("margin_levels_cross_lognormal", {"position": -1, "mark_price": 1000, "risk_model": {
        "risk_factor_long": "0.1", "risk_factor_short": "0.2", "kind": "simple"}, "scaling": SCALING},
     {"maintenance": 200}),
    ("isolated_margin_mode", {"position": 4, "average_entry": 10, "margin_factors": ["0.5"], "rf_long": "0.1",
                              "rf_short": "0.3", "linear_slippage": "0.05", "limit_order": {
                                  "side": "sell", "size": 6, "price": 12}},
     {"position_margin_05": 20, "order_margin": 12, "order_margin_6": 12, "rejected_factor": "0.35"}),
    ("liquidation_disposal_schedule", {"network_position": -7, "disposal_fraction": "0.5", "book_volume_in_range": 0},
     {"trades": [], "remaining": 7}),
    (PRICE, {"position_size": 1, "mark_price": 100, "collateral": 28, "rf_long": "0.1",
             "buy_orders": [{"size": 1, "price": 90}], "sell_orders": [{"size": 1, "is_market_order": True}]},
     {"liquidation_price": 80, "liquidation_price_with_buy_orders": 90, "liquidation_price_with_sell_orders": 0}),
    (PRICE, {"position_size": 1, "mark_price": 100, "collateral": 5, "rf_long": 1}, {"error": "not defined"}),
]  # fmt: skip


@pytest.mark.parametrize(("mechanism", "inputs", "expected"), CASES)
def test_beyond_the_shipped_cases(mechanism: str, inputs: dict[str, Any], expected: Any) -> None:
    outcome = run_case(Case("f.json", 0, "", "any", mechanism, inputs, expected), VENUE)
    assert (outcome.status, outcome.reasons) == (Status.PASSED, ())


@pytest.mark.parametrize(
    ("mechanism", "inputs", "reason"),
    [
        (ADL, {"liquidated": {"side": "1 BTC"}, "offsetting": {}, "oracle": 1}, "side must be like `short 1 BTC`"),
        (ADL, {"liquidated": {"side": "long 1 BTC"}, "offsetting": {"side": "short 1 ETH"}, "oracle": 1}, "in BTC"),
        (ADL, {"liquidated": {}, "offsetting": {}}, "inputs.liquidated_index must be between 0 and -1"),
        (FILLABLE, {"positions": [{"quantums": 1, "price_usd": 0}]}, "must be above 0, was 0"),
        (FILLABLE, {"usdc": "0.0000001", "positions": []}, "must be whole quantums"),
        (WATERFALL, {**LIQUIDATED, "margin": "0.0000001"}, "inputs.margin must have at most 6 decimal places"),
        (WATERFALL, {**LIQUIDATED, "oracle": {}}, "inputs.oracle.ETH must be given"),
        (WATERFALL, {**LIQUIDATED, "oracle": 0}, "must be above 0"),
        (WATERFALL, {**LIQUIDATED, "book_bids": {"ETH": [[1]]}}, "must be a list of [size, price]"),
        (WATERFALL, {**LIQUIDATED, "book_bids": 3}, "inputs.book_bids must be an object of pairs"),
        ("adl_regression", {"liquidated": {"side": "up", "size": 1, "entry": 1}}, "side must be long or short"),
        ("liquidation_fee_growth", {"base_fee_1e6": -1}, "inputs.base_fee_1e6 must be at least 0, was -1"),
        ("size_dependent_weights", {"size_1e9": 1}, "inputs.initial_asset_weight or"),
        ("dutch_auction_discount", {"elapsed_s": 1, "start": "0.5"}, "fast_cutoff must be at most"),
        ("adl_score", {"candidates": [{"side": "flat"}]}, "side must be long or short, was 'flat'"),
        (
            "margin_maintenance",
            {"position": 1, "mark_price": 1},
            "risk_factor_long and risk_factor_short must be given",
        ),
        ("isolated_margin_mode", {"position": 1, "rf_long": 1, "limit_order": {"side": "up"}}, "must be buy or sell"),
    ],
)
def test_wrong_inputs_fail_with_a_named_reason(mechanism: str, inputs: dict[str, Any], reason: str) -> None:
    outcome = run_case(Case("f.json", 0, "", "any", mechanism, inputs, {"x": 1}), VENUE)
    assert outcome.status is Status.FAILED
    assert reason in outcome.reasons[0]
