"""``eacf-train labels``, in this process."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from eacf.errors import SettingError
from eacf.labels import LabelRules
from eacf_trainer import testbed
from eacf_trainer.cli import labels

OFFICE = """
about = "The office."
fallback = "registrable-domain"
ech_public_names = ["ech.example.net"]

[labels.seznam]
rules = ["+.seznam.cz", "+.szn.cz"]

[tests]
"login.szn.cz" = "seznam"
"""


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="eacf-train")
    labels.add(parser.add_subparsers(required=True))
    options = parser.parse_args(["labels", *arguments])
    code: int = options.run(options)
    return code


@pytest.fixture
def office(tmp_path: Path) -> Path:
    path = tmp_path / "office.toml"
    path.write_text(OFFICE)
    return path


def test_check_tells_what_a_map_is(office: Path, capsys: Any) -> None:
    assert run("check", str(office)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["map"] == "office: The office."
    assert lines["id"] == LabelRules.read(office).id
    assert lines["labels"] == "1 application"
    assert lines["lists"].startswith("ads (")
    assert lines["fallback"].startswith("registrable-domain (public suffix list 20")
    assert lines["tests"] == "1 passed"


def test_check_tells_what_is_odd_on_standard_error(office: Path, capsys: Any) -> None:
    office.write_text('labels.a.rules = ["*.a.com", "x.a.com"]')
    assert run("check", str(office)) == 0
    out, err = capsys.readouterr()
    assert 'office.toml: "x.a.com" (line 1, label a) says no more than' in err
    assert "office.toml: there is no table [tests]" in err
    assert "fallback  none\n" in out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"seznam"', '"szn"', "office.toml: tests: 'login.szn.cz' should have 'szn', has \"seznam\" by"),
        ('"+.szn.cz"', '"+.seznam.cz"', "claim the same names, seznam.cz; drop one"),
        ("about", "abut", "office.toml: abut is unknown"),
    ],
)
def test_check_refuses_a_bad_map(office: Path, old: str, new: str, message: str) -> None:
    office.write_text(OFFICE.replace(old, new))
    with pytest.raises(SettingError) as raised:
        run("check", str(office))
    assert message in str(raised.value)


def test_show_tells_labels_and_rules(office: Path, capsys: Any) -> None:
    assert run("show", str(office)) == 0
    out = capsys.readouterr().out
    assert "\nseznam              application  +.seznam.cz +.szn.cz\n" in out
    assert "\n(ECH public names)  -            ech.example.net\n" in out
    assert run("show", "domains", "--lists") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "gemius.pl ads Gemius, audience measurement for publishers' sites." in lines
    assert "cloudflare-ech.com ech Cloudflare's public name for every customer's site with ECH on." in lines


def test_show_tells_what_names_are(office: Path, capsys: Any) -> None:
    names = ["WWW.seznam.cz.", "hit.gemius.pl", "x.gitlab.io", "ech.example.net", "10.0.0.1", "a\x1b[2J.com"]
    assert run("show", str(office), "--name", *names, "--name", "co.uk") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "server name label kind why",
        'WWW.seznam.cz. seznam application rule: "+.seznam.cz", line 7',
        'hit.gemius.pl gemius.pl ads rule: "+.gemius.pl", list ads',
        "x.gitlab.io gitlab.io cdn registrable domain",
        'ech.example.net - - ECH public name: "ech.example.net", line 4',
        "10.0.0.1 - - not a host name",
        "a\\x1b[2J.com - - not a host name",
        "co.uk - - no rule",
    ]


def test_suggest_reads_captures_and_prints_a_map(tmp_path: Path, capsys: Any) -> None:
    testbed.generate(tmp_path / "a.pcap", seed=941, connections=30)
    (tmp_path / "bad.pcap").write_bytes(b"this is no capture, whatever it is called")
    assert run("suggest", str(tmp_path), "--min", "1") == 0
    out, err = capsys.readouterr()
    assert "bad.pcap: skipped: " in err
    made = tmp_path / "made.toml"
    made.write_text(out)
    assert run("check", str(made)) == 0
    rules = LabelRules.read(made)
    # The names of the testbed's applications lie below one domain each.
    assert set(rules.file.kinds) <= {f"{app}.example" for app in [*testbed.APPS, "background"]}
    capsys.readouterr()
    assert run("suggest", str(tmp_path), "--labels", "testbed", "--min", "1000") == 0
    assert "[labels" not in capsys.readouterr().out


def test_suggest_says_where_there_is_nothing(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "bad.pcap").write_bytes(b"this is no capture, whatever it is called")
    assert run("suggest", str(tmp_path)) == 1
    assert "no TLS connection was found" in capsys.readouterr().err
    with pytest.raises(SettingError, match="--min 0: must be"):
        run("suggest", str(tmp_path), "--min", "0")
    with pytest.raises(SettingError, match="no such file or folder"):
        run("suggest", str(tmp_path / "no"))
