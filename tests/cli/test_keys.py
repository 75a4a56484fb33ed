"""`eacf keys` and `eacf bundle sign` as a shell runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from eacf import bundle, keys

EACF = [sys.executable, "-m", "eacf"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EACF, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=CLEAN
    )


def test_a_pair_is_made_and_shown(tmp_path: Path) -> None:
    done = run("keys", "new", tmp_path / "ops")
    key = keys.PrivateKey.read(tmp_path / "ops.key")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{tmp_path / 'ops.key'}  signs" in done.stdout
    assert f"{tmp_path / 'ops.pub'}  goes to the workers (trusted_keys); key {key.id}" in done.stdout
    lines = run("keys", "show", tmp_path / "ops.key", tmp_path).stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [key.id, kind, f"SHA256:{key.public.fingerprint}"] for kind in ("private", "public")
    ]
    again = run("keys", "new", tmp_path / "ops")
    assert (again.returncode, again.stdout) == (2, "")
    assert "ops.pub: is there already" in again.stderr
    assert keys.PrivateKey.read(tmp_path / "ops.key").id == key.id


def test_a_bundle_is_signed_and_checked(tmp_path: Path) -> None:
    key, public = keys.new(tmp_path / "ops")
    out = tmp_path / "signed.eacf"
    done = run("bundle", "sign", "testbed", "--key", key.path, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    signed, shipped = bundle.load(out), bundle.load(bundle.find("testbed"))
    assert (signed.id, signed.model) == (shipped.id, shipped.model)
    signature = signed.manifest.signature
    assert signature is not None
    assert done.stdout == (
        f"{out}: bundle {signed.id} ({signed.name} {signed.version}), key {key.id}, serial {signature.serial}, to serve\n"
    )
    assert "not checked here" in run("bundle", "show", out).stdout
    shown = run("bundle", "show", out, "--trusted-keys", public)
    assert f"signed      by key {key.id}, serial {signature.serial}, to serve; checked" in shown.stdout
    again = run("bundle", "sign", out, "--key", key.path, "--out", out, "--shadow")
    assert again.returncode == 0
    later = json.loads(run("bundle", "show", out, "--json").stdout)["signature"]
    assert (later["purpose"], later["serial"] > signature.serial) == ("shadow", True)


def test_what_is_not_signed_as_it_should_be(tmp_path: Path) -> None:
    key, public = keys.new(tmp_path / "ops")
    for arguments, code, problem in (
        (("show", "testbed", "--trusted-keys", public), 1, "is not signed; sign it"),
        (("sign", "none.eacf", "--key", key.path, "--out", tmp_path / "a"), 2, "none.eacf: no such file"),
        (("sign", public, "--key", key.path, "--out", tmp_path / "a"), 1, "manifest.json: the file"),
        (("sign", "testbed", "--key", public, "--out", tmp_path / "a"), 2, "others can read this private key"),
        (("sign", "testbed", "--key", key.path, "--out", tmp_path / "none" / "a"), 1, str(tmp_path / "none" / "a")),
    ):
        done = run("bundle", *arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()
