"""
The report page: escaped, self-contained, strict.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from tocsin.views.report import CommandLine, ReportData, Section, render_report
from tocsin.views.tables import Table

EVIL = "<img src=x onerror=alert(1)>"
PAGE = render_report(
    ReportData(
        title=f"Title {EVIL}",
        lede=EVIL,
        sections=(
            Section(
                heading=EVIL,
                paragraphs=(EVIL,),
                pictures=("<svg><title>ok</title></svg>\n",),
                tables=(Table(EVIL, ("", EVIL), ((EVIL,), ("row", EVIL)), note=EVIL),),
                commands=(CommandLine(EVIL, f"tocsin why {EVIL}"),),
                notes=(EVIL,),
            ),
        ),
        footer=EVIL,
    )
)


class Balance(HTMLParser):
    """
    Check that every opened element is closed in order.
    """

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_all_text_is_escaped_and_all_elements_close() -> None:
    parser = Balance()
    parser.feed(PAGE)
    assert parser.open == []
    assert "img" not in parser.seen
    assert "script" not in parser.seen
    assert PAGE.count("&lt;img") == 14, "two titles, twelve texts"


def test_the_policy_names_the_style_by_its_hash_and_allows_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert " style=" not in PAGE


def test_the_page_loads_nothing() -> None:
    assert re.findall(r"(?:src|href)=\"(?!data:)[^\"]*\"", PAGE) == []
    assert "@import" not in PAGE
    assert "url(" not in PAGE


def test_pictures_stand_as_they_are() -> None:
    assert "<figure>\n<svg><title>ok</title></svg>\n</figure>" in PAGE
