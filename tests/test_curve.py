"""Keys of CURVE, against ZeroMQ's own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth
from hypothesis import given
from hypothesis import strategies as st

from eacf import curve
from eacf.errors import SettingError


def test_z85_as_its_rfc_has_it() -> None:
    assert curve.z85(bytes.fromhex("864FD26FB559F75B")) == "HelloWorld"
    assert curve.unz85("HelloWorld") == bytes.fromhex("864FD26FB559F75B")


@given(st.binary(min_size=32, max_size=32))
def test_z85_there_and_back(data: bytes) -> None:
    assert curve.unz85(curve.z85(data)) == data


@given(st.text(max_size=45))
def test_what_is_no_z85(text: str) -> None:
    data = curve.unz85(text)
    assert data is None or curve.z85(data) == text


def test_a_new_pair_is_one_for_zeromq(tmp_path: Path) -> None:
    pair, secret, public = curve.new(tmp_path / "gpu")
    assert (secret.name, public.name) == ("gpu.curve", "gpu.curve.pub")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert zmq.curve_public(pair.secret.encode()).decode() == pair.public
    assert zmq.auth.load_certificate(str(secret)) == (pair.public.encode(), pair.secret.encode())
    assert zmq.auth.load_certificate(str(public)) == (pair.public.encode(), None)
    assert curve.read_pair(secret) == pair
    assert curve.read_public(public) == pair.public
    assert pair.secret not in repr(pair) + repr(curve.BusKeys(pair, pair.public)) + public.read_text()
    with pytest.raises(SettingError, match="is there already"):
        curve.new(tmp_path / "gpu")


def test_zeromqs_own_certificates_are_read(tmp_path: Path) -> None:
    public, secret = zmq.auth.create_certificates(str(tmp_path), "made")
    Path(secret).chmod(0o600)
    assert curve.read_pair(Path(secret)).public == curve.read_public(Path(public))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no public CURVE key"),
        ('public-key = "short"', "holds no public CURVE key"),
        ("public-key = " + "~" * 40, "holds no public CURVE key"),
        (f'public-key = "{"0" * 40}"\nsecret-key = "{"0" * 40}"', "holds a secret key"),
        ("-----BEGIN PUBLIC KEY-----", "holds no public CURVE key"),
    ],
)
def test_what_is_no_public_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.pub"
    path.write_text(text)
    with pytest.raises(SettingError, match=f"x.pub: {words}"):
        curve.read_public(path)


def test_files_that_others_reach(tmp_path: Path) -> None:
    _, secret, public = curve.new(tmp_path / "gpu")
    secret.chmod(0o640)
    with pytest.raises(SettingError, match=r"others can read this secret key \(mode 0640\); chmod 600"):
        curve.read_pair(secret)
    public.chmod(0o666)
    with pytest.raises(SettingError, match="anyone can write this file"):
        curve.read_public(public)
    secret.chmod(0o600)
    secret.write_text("public-key = x")
    with pytest.raises(SettingError, match="holds no secret CURVE key"):
        curve.read_pair(secret)


def test_a_folder_of_clients(tmp_path: Path) -> None:
    folder = tmp_path / "clients"
    (folder / "worker").mkdir(parents=True)
    first, _, one = curve.new(tmp_path / "one")
    second, _, two = curve.new(tmp_path / "two")
    assert curve.read_clients(folder, ("worker",)) == {}
    one.rename(folder / "worker" / "one.curve.pub")
    two.rename(folder / "two.pub")
    assert curve.read_clients(folder, ("worker",)) == {first.public: ("one", "worker"), second.public: ("two", "")}
    (folder / "again.pub").write_bytes((folder / "two.pub").read_bytes())
    with pytest.raises(SettingError, match="the same key is there as 'again', too"):
        curve.read_clients(folder, ("worker",))
    with pytest.raises(SettingError, match="no such role; a sub-folder must be one of collect"):
        curve.read_clients(folder, ("collect",))
    with pytest.raises(SettingError, match="name a folder"):
        curve.read_clients(tmp_path / "nowhere", ())
