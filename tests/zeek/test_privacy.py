"""What docs/privacy.md says of Zeek's logs, run."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

from eacf.flow import Needs


def test_the_hook_of_the_page(
    faults: ModuleType, pretender: ModuleType, small: Path, repository: Path, tmp_path: Path
) -> None:
    blocks = re.findall(r"```zeek\n(.*?)```", (repository / "docs" / "privacy.md").read_text(), re.DOTALL)
    (hook,) = [block for block in blocks if "hook EACF::log_policy" in block]
    (tmp_path / "less.zeek").write_text(hook)
    worker = pretender.Pretender(Needs(0, 0, 8, False))
    with faults.Site(tmp_path / "site") as site:
        site.start_zeek(small, str(tmp_path / "less.zeek"), realtime=False)
        pretender.serve(site.endpoints, site.zeek, [worker])
        outcome: Any = site.end()
    assert outcome.status == 0, outcome.words
    assert len(outcome.lines) > 50
    assert not any("server_name" in line for line in outcome.lines)
    logged = {ip_address(line["id.orig_h"]) for line in outcome.lines}
    assert {each.version for each in logged} == {4, 6}
    assert all(int(each) % 2 ** (8 if each.version == 4 else 80) == 0 for each in logged)
    assert any(sample.server_name for sample in worker.samples)
    assert not logged & {sample.orig_h for sample in worker.samples}
