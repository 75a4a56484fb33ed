from __future__ import annotations

from eacf.labels import LabelRules
from eacf.labels.shipped import HOME


def test_the_map_for_the_papers_data_has_its_eight_labels_and_nothing_else() -> None:
    rules = LabelRules.read(HOME / "maps" / "wrccdc.toml")  # which runs the tests that it holds
    assert rules.labels == ("bing", "facebook", "github", "google", "outlook", "slack", "twitter", "youtube")
    assert rules.label("www.seznam.cz") is None
