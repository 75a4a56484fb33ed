"""Lines that a real Zeek writes now, through the pipelines: with and without a worker, beside the tab-separated form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eacf_trainer import testbed
from tests.packaging.elastic import ingest

POLICY = """\
confidence = 0.0
[unknown]
priority = "low"
[label.a]
block = true
"""


@pytest.mark.zeek
def test_json_lines_beside_tab_separated_ones(tmp_path: Path, repository: Path, zeek: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "eacf").symlink_to(repository / "zeek")
    bus = {"EACF_SUBSCRIBE_ENDPOINT": f"ipc://{tmp_path}/s", "EACF_PUBLISH_ENDPOINT": f"ipc://{tmp_path}/p"}
    found = subprocess.run(["zeek-config", "--zeekpath"], capture_output=True, text=True, check=True).stdout.strip()
    environ = os.environ | bus | {"ZEEKPATH": f"{found}:{tmp_path}/packages"}
    elastic = repository / "packaging" / "elastic"
    script = [str(elastic / "eacf-json.zeek"), f"EACF::policy_file={tmp_path}/policy.toml", "EACF::capture_wait=15sec"]
    worker = subprocess.Popen([sys.executable, "-m", "eacf", "worker"], env=os.environ | bus, stderr=subprocess.DEVNULL)
    try:
        testbed.generate(tmp_path / "a.pcap", seed=7008, connections=20)
        subprocess.run([str(zeek), "-C", "-r", "a.pcap", *script], env=environ, cwd=tmp_path, check=True, timeout=40)
    finally:
        worker.terminate()
        worker.wait(20)
    for name in ("eacf", "eacf_actions", "eacf_stats"):
        pipeline = json.loads((elastic / f"{name}.json").read_text())
        lines = (tmp_path / f"{name}_json.log").read_text().splitlines()
        assert len(lines) >= (1 if name == "eacf_stats" else 15)
        assert (tmp_path / f"{name}.log").read_text().startswith("#separator \\x09\n")
        for line in lines:
            document = ingest.run(pipeline, {"message": line})
            assert document["event"]["kind"] in ("event", "metric"), document
            assert "line" not in document
