from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf.settings import SETTINGS, Settings, resolve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "eacf.toml"
    path.write_text('threads = 2\nverdict_hold_ms = 1\nlog_level = "debug"\nbundle = "office.eacf"\n')
    return path


def test_without_anything_the_defaults() -> None:
    resolved = resolve(None, {}, {})
    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}
    assert resolved.strays == ()


def test_file_then_environment_then_flag(file: Path) -> None:
    environ = {"EACF_THREADS": "3", "EACF_VERDICT_HOLD_MS": "2.5", "HOME": "/root"}
    resolved = resolve(file, environ, {"threads": "4", "queue_flows": None})
    assert resolved.settings.threads == 4
    assert resolved.settings.verdict_hold_ms == 2.5
    assert resolved.settings.log_level == "debug"
    assert resolved.settings.queue_flows == Settings().queue_flows
    rows = {key: (value, origin) for key, value, origin in resolved.rows()}
    assert rows["threads"] == (4, "flag --threads")
    assert rows["verdict_hold_ms"] == (2.5, "environment EACF_VERDICT_HOLD_MS")
    assert rows["log_level"] == ("debug", f"file {file}")
    assert rows["queue_flows"] == (4096, "default")


def test_a_path_is_relative_to_where_it_was_said(file: Path) -> None:
    assert resolve(file, {}, {}).settings.bundle == file.parent / "office.eacf"
    assert resolve(None, {"EACF_BUNDLE": "office.eacf"}, {}).settings.bundle == Path("office.eacf")
    assert resolve(None, {}, {"bundle": Path("/x.eacf")}).settings.bundle == Path("/x.eacf")


def test_an_unknown_key_is_an_error_that_knows_what_was_meant(file: Path) -> None:
    file.write_text("treads = 2\n")
    with pytest.raises(SettingError, match=rf"{file}.*'treads'.*did you mean threads\?.*allowed: bundle, "):
        resolve(file, {}, {})
    with pytest.raises(SettingError, match=r"flag --queue-flow: unknown .*queue_flows"):
        resolve(None, {}, {"queue_flow": "1"})


def test_an_unknown_variable_is_told_but_may_be_somebody_elses() -> None:
    resolved = resolve(None, {"EACF_TREADS": "2", "EACF_ZZZ": "1"}, {})
    assert resolved.strays == ("EACF_TREADS (did you mean EACF_THREADS?)", "EACF_ZZZ")


BAD = [
    ("threads", "0", "1 to 64"),
    ("threads", "two", "a whole number"),
    ("threads", "1.5", "a whole number"),
    ("queue_flows", "-1", "1 to 1000000"),
    ("verdict_hold_ms", "nan", "a number of 0 to 1000"),
    ("verdict_hold_ms", "", "a number"),
    ("metrics_port", "65536", "0 to 65535"),
    ("log_level", "loud", "debug, info, warning, error"),
    ("subscribe_endpoint", "127.0.0.1:5555", "tcp://<host>:<port>"),
    ("publish_endpoint", "tcp://127.0.0.1", "tcp://<host>:<port>"),
    ("bundle", "", "a path"),
]


@pytest.mark.parametrize(("key", "text", "allowed"), BAD)
def test_what_is_not_allowed_is_named_with_place_key_and_remedy(key: str, text: str, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(None, {f"EACF_{key.upper()}": text}, {})
    for words in (f"environment EACF_{key.upper()}", key, repr(text), allowed):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'threads = "2"',
        "threads = true",
        "threads = 1.5",
        "log_level = 3",
        "bundle = 3",
        "metrics_port = [1]",
        "[threads]",
    ],
)
def test_a_file_says_numbers_as_numbers(file: Path, line: str) -> None:
    file.write_text(line + "\n")
    with pytest.raises(SettingError, match=f"file {file}: "):
        resolve(file, {}, {})


def test_a_whole_number_will_do_for_a_number(file: Path) -> None:
    value = resolve(file, {}, {}).settings.verdict_hold_ms
    assert (value, type(value)) == (1.0, float)


@pytest.mark.parametrize("content", [b"threads = ", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingError, match=str(path)):
        resolve(path, {}, {})


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:5555", "tcp://sensor-1.example.org:5555", "tcp://[::1]:5555", "ipc:///run/eacf/bus"]
)
def test_endpoints_that_will_do(endpoint: str) -> None:
    assert resolve(None, {}, {"subscribe_endpoint": endpoint}).settings.subscribe_endpoint == endpoint


def test_settings_made_by_hand_are_checked_too() -> None:
    with pytest.raises(SettingError, match="batch_flows"):
        Settings(batch_flows=33)


@pytest.mark.parametrize(("one", "other"), [("bus_key", "bus_server_key"), ("bus_server_key", "bus_key")])
def test_a_bus_behind_a_relay_takes_both_keys(one: str, other: str) -> None:
    with pytest.raises(SettingError, match=f"^{one} is set and {other} is not"):
        resolve(None, {}, {one: "x.curve"})
    resolved = resolve(None, {}, {one: "x.curve", other: "y.curve"})
    assert (resolved.settings.bus_key is None, resolved.settings.bus_server_key is None) == (False, False)


def test_each_setting_has_words_for_people() -> None:
    assert list(SETTINGS) == [field.name for field in fields(Settings)]
    assert all(setting.allowed.what.endswith(".") for setting in SETTINGS.values())


def test_the_documentation_tells_of_each(repository: Path) -> None:
    text = (repository / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    told = {key: (default, allowed, what) for key, default, allowed, what in rows}
    assert list(told) == list(SETTINGS)
    for key, (default, allowed, what) in told.items():
        setting = SETTINGS[key]
        assert default == ("none" if setting.default is None else f"`{setting.default}`")
        assert allowed == str(setting.allowed)
        assert what == setting.allowed.what
