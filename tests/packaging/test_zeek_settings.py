"""docs/zeek-settings.md says what the scripts say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def zeek_settings(repository: Path) -> ModuleType:
    path = repository / "packaging" / "zeek_settings.py"
    spec = importlib.util.spec_from_file_location("zeek_settings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_scripts(zeek_settings: ModuleType) -> None:
    assert zeek_settings.PAGE.read_text() == zeek_settings.page(), "run `make docs`"


@pytest.mark.parametrize("name", ["options.zeek", "notices.zeek"])
def test_every_setting_has_a_text(name: str, zeek_settings: ModuleType, repository: Path) -> None:
    assert name in zeek_settings.SCRIPTS
    script = (repository / "zeek" / name).read_text()
    found = list(zeek_settings.settings(script))
    # By a looser look: whatever is declared there and can be changed.
    declared = re.findall(r"^\s*(?:option\s+(\w+)|const\s+(\w+)[^;]*&redef)", script, re.MULTILINE)
    assert [each.name for each in found] == [option or const for option, const in declared]
    assert not [each.name for each in found if len(each.text) < 10 or not each.text.endswith(".")]
    assert all(each.default for each in found)


def test_no_other_script_has_settings(zeek_settings: ModuleType, repository: Path) -> None:
    for path in (repository / "zeek").glob("*.zeek"):
        if path.name not in zeek_settings.SCRIPTS:
            # What an operator fills with hooks is no setting.
            names = {each.name for each in zeek_settings.settings(path.read_text())} - {"actions"}
            assert not names, (path, names)


def test_texts_of_a_setting_become_a_row(zeek_settings: ModuleType) -> None:
    script = "\t## Above a blank line: another's.\n\n\t## How *long* ``x``,\n\t## or :zeek:see:`EACF::y`.\n\toption z: interval = 1min;\n"
    assert list(zeek_settings.settings(script)) == [
        ("option", "z", "1min", "How *long* ``x``, or :zeek:see:`EACF::y`.")
    ]
    assert zeek_settings.plain("How *long* ``x|y``, or :zeek:see:`EACF::y`.") == "How _long_ `x\\|y`, or `EACF::y`."
