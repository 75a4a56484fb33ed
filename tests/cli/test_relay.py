"""`eacf relay`: mistakes in the command. What it does is in tests/relay."""

from __future__ import annotations

from pathlib import Path

import pytest

from eacf import curve
from eacf.cli import main


@pytest.fixture
def keyed(tmp_path: Path) -> list[str]:
    """What the command needs besides --listen."""
    _, secret, _ = curve.new(tmp_path / "relay")
    (tmp_path / "clients").mkdir()
    return ["--key", str(secret), "--clients", str(tmp_path / "clients")]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--listen", "192.0.2.1:5557"], "must read like tcp://192.0.2.1:5557"),
        (["--listen", "tcp://192.0.2.1:0"], "must read like"),
        (["--listen", "tcp://127.0.0.1:65535"], "--listen-publish 'tcp://127.0.0.1:65536': must read like"),
        (["--listen", "ipc:///tmp/x"], "--listen-publish: must be named, too"),
        (["--listen", "tcp://127.0.0.1:*", "--queue-messages", "0"], "--queue-messages 0: must be 1 to 100,000"),
        (["--listen", "tcp://127.0.0.1:*", "--metrics-port", "-1"], "--metrics-port -1: must be 0"),
    ],
)
def test_mistakes(keyed: list[str], flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", *keyed, *flags]) == 2
    assert words in capsys.readouterr().err


def test_an_address_that_is_not_ours(keyed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", *keyed, "--listen", "tcp://192.0.2.1:5557"]) == 1
    assert "cannot listen at 'tcp://192.0.2.1:5557'" in capsys.readouterr().err


def test_a_folder_that_is_not_there(keyed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keyed[-1] = str(tmp_path / "nowhere")
    assert main(["relay", *keyed, "--listen", "tcp://127.0.0.1:*"]) == 2
    assert "name a folder of clients' public keys" in capsys.readouterr().err
