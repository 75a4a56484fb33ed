from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from eacf import keys
from eacf.errors import SettingError


@pytest.fixture
def key(tmp_path: Path) -> keys.PrivateKey:
    made, _ = keys.new(tmp_path / "ops")
    return made


def test_a_pair_signs_and_verifies(tmp_path: Path, key: keys.PrivateKey) -> None:
    (public,) = keys.public_keys(tmp_path / "ops.pub")
    signature = keys.PrivateKey.read(tmp_path / "ops.key").sign(b"data")
    assert public == key.public
    assert public.verifies(signature, b"data")
    assert not public.verifies(signature, b"date")
    assert not public.verifies(bytes(64), b"data")
    assert not public.verifies(b"", b"data")


def test_the_id_is_the_beginning_of_the_hash_of_the_raw_key() -> None:
    # RFC 8032 section 7.1, test 1
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    public = keys.PublicKey(raw)
    assert public.id == "21fe31dfa154a261"
    assert public.fingerprint.startswith(public.id)
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert public.verifies(signature, b"")


def test_the_private_half_is_its_owners_alone(tmp_path: Path, key: keys.PrivateKey) -> None:
    path = tmp_path / "ops.key"
    assert path.stat().st_mode & 0o777 == 0o600
    keys.next_serial(path, 0)
    assert (tmp_path / "ops.serial").stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(key).lower()
    path.chmod(0o640)
    with pytest.raises(SettingError, match=r"others can read this private key \(mode 0640\); chmod 600"):
        keys.PrivateKey.read(path)


def test_no_key_is_overwritten(tmp_path: Path, key: keys.PrivateKey) -> None:
    before = (tmp_path / "ops.key").read_bytes()
    for name in ("ops", "ops.key"):
        with pytest.raises(SettingError, match="is there already"):
            keys.new(tmp_path / name)
    (tmp_path / "ops.pub").unlink()
    with pytest.raises(SettingError, match=r"ops\.key: is there already"):
        keys.new(tmp_path / "ops")
    assert (tmp_path / "ops.key").read_bytes() == before
    with pytest.raises(SettingError, match="cannot be written"):
        keys.new(tmp_path / "none" / "ops")


def test_trusted_are_those_of_a_file_or_a_folder(tmp_path: Path, key: keys.PrivateKey) -> None:
    other, _ = keys.new(tmp_path / "other")
    both = tmp_path / "both.pem"
    both.write_text(f"# ops\n{(tmp_path / 'ops.pub').read_text()}\n# other\n{(tmp_path / 'other.pub').read_text()}")
    for path, count in ((None, 0), (tmp_path / "ops.pub", 1), (tmp_path, 2), (both, 2)):
        assert len(keys.Trusted.read(path)) == count
    trusted = keys.Trusted.read(both)
    assert trusted.get(key.id) == key.public
    assert trusted.get(other.id) == other.public
    assert trusted.get("0" * 16) is None


def _pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_what_is_no_key_of_ours(tmp_path: Path, key: keys.PrivateKey) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    locked = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    path = tmp_path / "bad.key"
    path.touch(0o600)
    for data, problem in (
        (b"", "holds no private key"),
        (key.public.pem(), "holds no private key"),
        (_pem(curve), "another kind of key"),
        (locked, "under a password"),
    ):
        path.write_bytes(data)
        with pytest.raises(SettingError, match=problem):
            keys.PrivateKey.read(path)
    path = tmp_path / "bad.pub"
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    for data, problem in (
        (b"", "holds no public key"),
        ((tmp_path / "ops.key").read_bytes(), "holds a private key; only public keys"),
        (curve.public_key().public_bytes(serialization.Encoding.PEM, spki), "another kind of key"),
        (key.public.pem().replace(b"MCow", b"MCox"), "is damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises(SettingError, match=problem) as caught:
            keys.Trusted.read(path)
        assert str(path) in str(caught.value)
    path.write_bytes(key.public.pem())
    path.chmod(0o666)
    with pytest.raises(SettingError, match="anyone can write this file"):
        keys.Trusted.read(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for name, problem in (("none", "cannot be read"), ("pipe", "is no file of keys"), ("empty", "holds no .pub file")):
        with pytest.raises(SettingError, match=problem):
            keys.Trusted.read(tmp_path / name)
    for name in ("none", "pipe", "empty"):
        with pytest.raises(SettingError, match=r"cannot be read|is no file"):
            keys.PrivateKey.read(tmp_path / name)


# Serials


def test_serials_go_by_the_clock_and_only_up(tmp_path: Path, key: keys.PrivateKey) -> None:
    path = tmp_path / "ops.key"
    clock = [100.9, 100.9, 50.0, -7.0, 1000.0, 0.0]
    assert [keys.next_serial(path, now) for now in clock] == [100, 101, 102, 103, 1000, 1001]
    (tmp_path / "ops.serial").unlink()
    assert keys.next_serial(path, -5.0) == 1


def test_a_damaged_counter_is_never_guessed(tmp_path: Path, key: keys.PrivateKey) -> None:
    for content in (b"", b"12x", b"-4", b"\xff"):
        (tmp_path / "ops.serial").write_bytes(content)
        with pytest.raises(SettingError, match=r"ops.serial: holds no number; write into it the serial of the last"):
            keys.next_serial(tmp_path / "ops.key", 100)
    assert (tmp_path / "ops.serial").read_bytes() == b"\xff"


def test_no_number_is_given_out_that_is_not_kept(tmp_path: Path, key: keys.PrivateKey) -> None:
    (tmp_path / "ops.serial").mkdir()
    with pytest.raises(SettingError, match=r"ops\.serial: cannot be"):
        keys.next_serial(tmp_path / "ops.key", 100)


TAKE = """
import sys
from itertools import chain
from pathlib import Path
from eacf.keys import next_serial
for _ in range(50):
    print(next_serial(Path(sys.argv[1]), 7))
"""


def test_processes_at_once_never_get_the_same_number(tmp_path: Path, key: keys.PrivateKey) -> None:
    command = [sys.executable, "-c", TAKE, str(tmp_path / "ops.key")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    numbers = [list(map(int, process.communicate(timeout=60)[0].split())) for process in processes]
    assert all(each == sorted(each) for each in numbers)
    assert sorted(chain(*numbers)) == list(range(7, 157))
