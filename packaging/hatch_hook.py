"""Hatchling's hook: a wheel carries man pages and shell completions among its data, made anew for each build (packaging/manual)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {
    "man/man1": "share/man/man1",
    "bash-completion/completions": "share/bash-completion/completions",
    "zsh/site-functions": "share/zsh/site-functions",
    "fish/vendor_completions.d": "share/fish/vendor_completions.d",
}


class ManualHook(BuildHookInterface):
    """See the module."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make them, and have them taken; not for an editable install, whose commands change."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="eacf-manual-")
        out = Path(self._folder.name)
        subprocess.run([sys.executable, "-B", Path(self.root) / "packaging/manual", out], check=True)
        build_data["shared_data"] |= {str(out / source): target for source, target in PLACES.items()}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clear up."""
        if version != "editable":
            self._folder.cleanup()
