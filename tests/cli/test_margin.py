"""
`tocsin margin` as a person meets it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.cli import main

ACCOUNT: dict[str, Any] = {
    "rules": "binance-usdm",
    "legs": [
        {"symbol": "BTCUSDT", "underlying": "BTC", "size": 2, "entry": 100000, "mark": 98000, "leverage": 20},
        {"symbol": "ETHUSDT", "underlying": "ETH", "size": -30, "entry": 3500, "mark": 3400, "leverage": 10},
    ],
    "balances": [{"asset": "USDT", "amount": 20000}],
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(ACCOUNT))
    return str(path)


def test_the_whole_answer(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["margin", file, "--vol", "2%"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "Binance USD-M futures (binance-usdm), parameters of 2026-09-01",
        "equity 19,000 · initial 20,000 · maintenance 1,192 USDT",
        "margin ratio 6.27 % (cross USDT); Binance advises to stay below at 80.00 %, liquidation at 100.00 %",
    ]
    cells = lines[6].split()
    assert cells[:8] == ["BTCUSDT", "(cross)", "+2", "98,000", "196,000", "9,800", "784", "−4,000"]
    assert cells[8:] == ["89,060.2", "−9.12", "%", "4.6"]
    assert lines[-1] == (
        "account is below initial margin: deposit 1,000 USDT, or close 2.94119 of ETHUSDT (notional 10,000.04)"
    )


def test_a_move_that_liquidates_is_a_finding(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["margin", file, "--what-if", "BTC=-10%", "--what-if", "ETH=3500"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("what if BTC=-10%, ETH=3500\n")
    assert "BTCUSDT: no liquidation price: the account is below the threshold at the current marks" in out


def test_json_is_one_object_of_exact_texts(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["margin", file, "--json", "--rules", "binance-usdm", "--rules", "dydx"]) == 0
    found = json.loads(capsys.readouterr().out)
    first, second = found["accounts"][0]["rules"]
    assert (first["equity"], first["unit"], first["maintenance"]) == ("19000", "USDT", "1192")
    assert first["legs"][0]["liquidation"]["price"].startswith("89060.2409638554")
    assert first["cures"][0]["deposit"] == "1000"
    assert second["rules"] == "dydx"


def test_all_rules_rank_none_and_say_why_not(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["margin", file, "--rules", "all"]) == 0
    out = capsys.readouterr().out
    assert "binance-usdm  " in out and "hyperliquid  " in out
    assert "  binance-coinm: binance-coinm has no rule for BTCUSDT: it is linear, wanted inverse" in out


def test_a_picture(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.svg"
    assert main(["margin", file, "--svg", str(path)]) == 0
    text = path.read_text()
    assert text.startswith("<svg") and "liquidation 89,060.2 (−9.12 %)" in text and "mark 98,000" in text
    assert "picture written" in capsys.readouterr().err


def test_a_raw_payload_is_read_as_it_came(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    position = {
        "symbol": "DOGEUSDT", "positionAmt": "-32", "entryPrice": "0.16395", "markPrice": "0.16465933",
        "unRealizedProfit": "-0.02269856", "liquidationPrice": "0.19059204", "leverage": "6",
        "marginType": "isolated", "isolatedMargin": "0.86034145", "positionSide": "SHORT",
        "notional": "-5.26909856", "isolatedWallet": "0.88304001", "updateTime": 1709886017670,
    }  # fmt: skip
    path = tmp_path / "raw.json"
    path.write_text(json.dumps([position]))
    assert main(["margin", str(path), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["accounts"][0]["rules"]
    assert answer["rules"] == "binance-usdm"
    assert answer["legs"][0]["liquidation"]["price"].startswith("0.190592040")
    assert answer["legs"][0]["basis"]["params_date"] == "2024-02-03"


def test_a_list_of_our_own_accounts_is_answered_one_by_one(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps([ACCOUNT, ACCOUNT]))
    assert main(["margin", str(path)]) == 0
    both = capsys.readouterr().out
    assert main(["margin", file]) == 0
    one = capsys.readouterr().out
    assert both.count("equity 19,000") == 2 and one in both and ", account 1" in both


def test_parts_of_different_moments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    payload = GUIDE.parents[2] / "examples" / "payloads" / "bybit-account.json"
    assert main(["margin", str(payload)]) == 0
    assert "note: time stamps of the payload lie 10001 s apart" in capsys.readouterr().out


def test_each_account_of_a_file_is_answered_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "vectors" / "venues" / "positions.json"
    assert main(["margin", str(path)]) in (0, 1)
    out = capsys.readouterr().out
    assert out.count("parameters of ") > 30
    assert "no rulebook for toobit" in out


WRONG = [
    (["--rules", "binance-usd"], 2, "unknown rulebook 'binance-usd'; did you mean binance-usdm"),
    (["--what-if", "BTC=down"], 2, "a what-if must be like BTC=-10% or BTC=90000, was 'BTC=down'"),
    (["--what-if", "BTV=1%"], 3, "nothing is called BTV; did you mean BTC"),
    (["--vol", "BTC=x"], 2, "--vol must be like 4% or BTC=2.5%"),
    (["--svg", "x.svg", "--rules", "all"], 2, "--svg draws one account under one rulebook"),
    (["--rules", "binance-coinm"], 3, "binance-coinm has no rule for BTCUSDT"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG, ids=[" ".join(a) for a, _, _ in WRONG])
def test_wrong_arguments(
    file: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["margin", file, *arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


BROKEN = [
    ('{"legs": [', "is not JSON"),
    ('{"legs": [{"symbol": "B", "underlying": "B", "size": NaN}]}', "NaN"),
    ('{"legs": [], "legs": []}', "twice"),
    ("[]", ""),
    ("7", ""),
    ("{}", "is an empty object"),
    ('{"balances": [{"asset": "BTC", "free": "1"}]}', "coin is missing"),
    ('{"legs": [{"symbol": "X", "underlying": "X", "size": 1}]}', "--rules must be given"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[t for t, _ in BROKEN])
def test_broken_files_get_one_message(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    assert main(["margin", str(path)]) in (2, 3)
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err and err.startswith("tocsin: ")


def walk(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a document."""
    if isinstance(value, dict):
        return [(*path, k) for k in value] + [p for k, v in value.items() for p in walk(v, (*path, k))]
    if isinstance(value, list):
        return [(*path, n) for n in range(len(value))] + [p for n, v in enumerate(value) for p in walk(v, (*path, n))]
    return []


FULL = json.loads(json.dumps(ACCOUNT)) | {"venue": "binance", "mode": "cross", "time": "2026-10-01", "extra": {"x": 1}}
FULL["legs"][0] |= {"hedge_side": "long", "order_buy": 1, "order_price": 9, "settle": "USDT", "product": "linear"}
FULL["legs"][1] |= {"mode": "isolated", "isolated_collateral": 10000, "maintenance_rate": 0.01, "deduction": 3}
FULL["balances"][0] |= {"price": 1, "borrowed": 0}
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", "x", "NaN", "1e999", "-1", "1e-30", "0x10", "١", "\u0000", "inf", "portfolio", "inverse"]),
    st.sampled_from([0, -1, 1e-300, 1e300, 10**40, -0.0, 123456789012345678901234567890]),
    st.sampled_from([[], {}, [[]], {"a": 1}, [1]]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(walk(FULL)), value=odd, drop=st.booleans(), rules=st.sampled_from(["", "tocsin", "binance-pm"])
)
def test_a_damaged_document_gets_one_message_or_an_answer(
    path: tuple[Any, ...], value: Any, drop: bool, rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(json.dumps(FULL))
    place = document
    for step in path[:-1]:
        place = place[step]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file = tmp_path / "damaged.json"
    file.write_text(json.dumps(document))
    code = main(["margin", str(file), *(["--rules", rules] if rules else [])])
    captured = capsys.readouterr()
    assert code in (0, 1, 2, 3), captured.err
    if code >= 2:
        assert captured.err.startswith("tocsin: ")
        assert captured.out == ""


GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "margin.md"


def read_sessions(page: Path) -> list[tuple[list[str], list[str]]]:
    """Return each command of the page's console blocks with the lines shown below it."""
    sessions: list[tuple[list[str], list[str]]] = []
    for block in page.read_text(encoding="utf-8").split("```console\n")[1:]:
        for line in block.split("```")[0].splitlines():
            if line.startswith("$ "):
                sessions.append((line.removeprefix("$ tocsin ").split(), []))
            else:
                sessions[-1][1].append(line)
    return sessions


def test_the_guide_shows_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GUIDE.parents[2])
    sessions = read_sessions(GUIDE)
    assert len(sessions) == 6
    for arguments, shown in sessions:
        assert main(arguments) in (0, 1)
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        parts = "\n".join(shown).split("\n  ...\n") if shown[0] != "  ..." else ["", "\n".join(shown[1:])]
        text = "\n".join(printed)
        assert text.startswith(parts[0])
        assert text.endswith(parts[-1])


def test_the_reference_page_lists_every_field() -> None:
    from tocsin.venues.contract import Balance, Leg, OptionTerms, Portfolio

    page = (GUIDE.parents[1] / "reference" / "portfolio-json.md").read_text(encoding="utf-8")
    for kind in (Portfolio, Leg, Balance, OptionTerms):
        for name in kind.__struct_fields__:
            assert f"`{name}`" in page, name
