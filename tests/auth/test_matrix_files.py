"""The committed pictures of the policies are those of the committed policies."""

import re
from html.parser import HTMLParser

import pytest

from hub.auth.matrix import render_matrix
from hub.auth.matrix_html import level, render_html
from hub.domain.catalogue_reader import FACETS
from tests.auth.parts import POLICIES, catalogue, judge, purposes


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize(("name", "render"), [("matrix.md", render_matrix), ("matrix.html", render_html)])
def test_the_committed_matrix_is_current(name, render):
    assert (POLICIES / name).read_text("utf-8") == render(judge(), catalogue(), purposes()), "run `hub policy matrix`"


def test_the_heat_map_stands_alone_and_can_be_read_aloud():
    text = (POLICIES / "matrix.html").read_text("utf-8")
    page = _Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    assert not re.search(r"https?://|url\(|@import|\son\w+=", text)
    assert text.count("<table") == text.count("<caption>")
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert {attributes.get("scope") for attributes in heads} == {"row", "col"}
    assert sum(attributes["scope"] == "row" for attributes in heads) == len(purposes().roles)
    cells = [attributes for tag, attributes in page.tags if tag == "td" and "title" in attributes]
    assert len(cells) == len(purposes().roles) * len(FACETS)
    assert any(attributes.get("lang") == "zh" for _, attributes in page.tags)
    assert "@media print" in text


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("F", "always"),
        ("F,J,T", "full"),
        ("F,C; M", "full"),
        ("class: F<br>detail: F,J,K", "always"),
        ("M,C", "masked"),
        ("key-group: P<br>predicate: P", "predicate"),
        ("–", "none"),
    ],
)
def test_the_colour_says_how_much_is_given_at_best(cell, name):
    assert level(cell) == name
