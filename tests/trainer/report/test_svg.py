"""Pictures inside a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl

from eacf_trainer.report import svg


def picture(name: str = "one", label: str = "plain") -> str:
    with svg.drawing(120) as (figure, axes):
        axes.plot((0, 1), (0, 1), "o-", color=svg.FIRST, label=label)
        axes.fill_between((0, 1), (0, 1), color=svg.PALE, alpha=0.3)
        axes.set_title(label, color=svg.INK)
        axes.legend()
        return str(svg.inline(figure, name, f"title {label}", "told"))


def test_colours_and_font_are_the_pages() -> None:
    made = picture()
    assert "var(--c1)" in made
    assert "var(--ink)" in made
    assert not re.search(r"#[0-9a-f]{6}\b", made)
    assert "font-family" not in made
    assert "<style" not in made


def test_it_is_an_element_with_ids_of_its_own() -> None:
    first, second = ElementTree.fromstring(picture("one")), ElementTree.fromstring(picture("two"))
    ids = [{each.get("id") for each in one.iter() if each.get("id")} for one in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert first.get("role") == "img"
    assert first.get("aria-labelledby") == "one-title one-desc"
    assert first.get("width") is None


def test_a_label_is_no_markup_and_no_formula() -> None:
    made = picture(label="$\\frac{$ </svg><script>alert(1)</script>")
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(made).iter("text")]
    assert "$\\frac{$ </svg><script>alert(1)</script>" in texts
    assert "<script" not in made


def test_the_same_picture_whatever_the_user_prefers() -> None:
    first = picture()
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.hashsalt": "other", "text.usetex": False}):
        assert picture() == first
    assert picture() == first


def test_settings_are_put_back() -> None:
    before = dict(mpl.rcParams)
    picture()
    assert dict(mpl.rcParams) == before
