"""Build the Debian packages eacf and eacf-trainer: ``make deb``, or ``python packaging/deb/build.py --out dist``.

Needs a Debian (or what is made of it) with debhelper and dpkg-dev, its own Python (3.11 or newer), and a package index for pip.
What is built is for this release's Python and this machine's architecture. Each package holds all Python libraries that it
needs, in one virtual environment, /usr/lib/eacf, in which the trainer's lie beside the worker's: nothing is fetched when a
package is installed. Libraries' versions are the newest that `pyproject.toml` allows at that time; the copyright file names them.
"""

from __future__ import annotations

import argparse
import email
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
HOME = "usr/lib/eacf"
SHARE = "usr/share"
PACKAGES = ("eacf", "eacf-trainer")
SCRIPT = """\
#!/{home}/bin/python3 -IXfaulthandler
import sys

from {module}.cli import main

sys.exit(main())
"""
"""`-I`: what lies in the working directory or the environment is not imported. `-Xfaulthandler`: what a watchdog ends (SIGABRT)
says where it hung."""
PROGRAMS = {"eacf": ("eacf", "eacf"), "eacf-trainer": ("eacf-train", "eacf_trainer")}
"""Of each package: its program, and the module that it runs."""
UNITS = {"eacf-watch.service": "eacf-trainer"}
"""Whose each unit is, where it is not eacf's."""
CONFIGURATION = {
    "policy.toml": "eacf/etc/eacf/policy.toml",
    "etc/worker.toml": "eacf/etc/eacf/worker.toml",
    "etc/default-collect": "eacf/etc/default/eacf-collect",
    "etc/default-enforce": "eacf/etc/default/eacf-enforce",
    "etc/default-relay": "eacf/etc/default/eacf-relay",
    "etc/watch.toml": "eacf-trainer/etc/eacf/watch.toml",
    "etc/default-watch": "eacf-trainer/etc/default/eacf-watch",
}
EXAMPLES = ("prometheus", "grafana", "elastic")
"""Folders of packaging/ that are examples, as far as they are there."""
TESTED = ("h5py", "joblib", "matplotlib", "numpy", "psutil", "pyarrow", "scipy", "sklearn", "zmq")
"""Libraries whose own tests (folders `tests`) are left out."""
LEFT_OUT = (
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/tools",
    "ai_edge_litert/vendors",
    "clang",
    "tensorflow/include",
)
"""What only other hardware, or somebody who compiles, needs; a third of all."""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    """A program of the build; what it says is seen, and its failure ends the build."""
    subprocess.run(command, cwd=cwd, env=os.environ | environment, check=True)


class Build:
    """One build, in a folder of its own."""

    def __init__(self, folder: Path, python: Path, version: str, when: int, wanted: Sequence[str]) -> None:
        self.folder, self.python, self.version, self.when, self.wanted = folder, python, version, when, wanted
        self.tree = folder / "tree"
        shutil.rmtree(self.tree, ignore_errors=True)
        told = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:3], sep='.')"],
            capture_output=True,
            text=True,
            check=True,
        )
        self.python_version = told.stdout.strip()
        major, minor, _ = self.python_version.split(".")
        self.short = f"{major}.{minor}"
        self.depends = f"python3 (>= {self.short}~), python3 (<< {major}.{int(minor) + 1})"
        self.site = f"{HOME}/lib/python{self.short}/site-packages"

    def stage(self, package: str) -> Path:
        return self.tree / "stage" / package

    def libraries(self) -> None:
        """Both environments, by pip; what the worker's does not hold is the trainer's."""
        dist = self.folder / "wheel"
        shutil.rmtree(dist, ignore_errors=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        extra = "[trainer]" if "eacf-trainer" in self.wanted else ""
        run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", dist, ROOT)
        (wheel,) = dist.glob("*.whl")
        both, one = self.folder / "both", self.folder / "one"
        for place in (both, one):
            shutil.rmtree(place, ignore_errors=True)
            run(self.python, "-m", "venv", "--without-pip", place)
        install = ("install", "--quiet", "--no-compile", "--only-binary", ":all:")
        run(*pip, "--python", both / "bin/python", *install, f"{wheel}{extra}")
        frozen = subprocess.run(
            [*pip, "--python", both / "bin/python", "list", "--format=freeze"],
            capture_output=True,
            text=True,
            check=True,
        )
        versions = self.folder / "versions.txt"
        versions.write_text("".join(f"{line}\n" for line in frozen.stdout.split() if not line.startswith("eacf==")))
        run(*pip, "--python", one / "bin/python", *install, "--constraint", versions, wheel)
        inside = f"lib/python{self.short}/site-packages"
        _copy(one / inside, self.stage("eacf") / self.site)
        _copy(both / inside, self.stage("eacf-trainer") / self.site, but=one / inside)
        self.stage("eacf-trainer").joinpath(self.site).mkdir(parents=True, exist_ok=True)
        shutil.move(self.stage("eacf") / self.site / "eacf_trainer", self.stage("eacf-trainer") / self.site)

    def environment(self) -> None:
        """What makes a folder of libraries an environment of the system's Python, and the programs."""
        home = self.stage("eacf") / HOME
        (home / "bin").mkdir(parents=True)
        (home / "bin/python3").symlink_to(f"/usr/bin/python{self.short}")
        (home / "pyvenv.cfg").write_text(
            f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {self.python_version}\n"
        )
        for package, (program, module) in PROGRAMS.items():
            file = self.stage(package) / "usr/bin" / program
            file.parent.mkdir(parents=True)
            file.write_text(SCRIPT.format(home=HOME, module=module))
            file.chmod(0o755)
        information = next((self.stage("eacf") / self.site).glob("eacf-*.dist-info"))
        for name in ("direct_url.json", "RECORD", "entry_points.txt"):  # of pip, which has nothing to do there
            (information / name).unlink(missing_ok=True)

    def files(self) -> None:
        """What is no Python."""
        eacf = self.stage("eacf")
        scripts = eacf / self.site / "eacf/zeek"
        shutil.move(scripts, _folder(eacf / SHARE / "eacf") / "zeek")
        scripts.symlink_to(os.path.relpath(f"/{SHARE}/eacf/zeek", f"/{self.site}/eacf"))
        shutil.copy(ROOT / "trainer/demo/demo.pcap.gz", eacf / SHARE / "eacf/demo.pcap.gz")
        for source, target in CONFIGURATION.items():
            if (PACKAGING / source).exists():
                place = self.tree / "stage" / target
                shutil.copy(PACKAGING / source, _folder(place.parent) / place.name)
        for unit in sorted((PACKAGING / "systemd").glob("*.service")):
            place = self.stage(UNITS.get(unit.name, "eacf")) / "lib/systemd/system"
            shutil.copy(unit, _folder(place))
        doc = _folder(eacf / SHARE / "doc/eacf")
        shutil.copytree(ROOT / "docs", doc / "docs")
        for name in ("README.md", "ARCHITECTURE.md"):
            shutil.copy(ROOT / name, doc)
        shutil.copy(ROOT / "CHANGELOG.md", doc / "changelog")
        for name in EXAMPLES:
            if (PACKAGING / name).is_dir():
                shutil.copytree(
                    PACKAGING / name, doc / "examples" / name, ignore=shutil.ignore_patterns("*.py", "__pycache__")
                )

    def manual(self) -> None:
        """Man pages and completions."""
        made = self.folder / "share"
        shutil.rmtree(made, ignore_errors=True)
        run(self.python, "-S", "-B", PACKAGING / "manual", made, SOURCE_DATE_EPOCH=str(self.when))
        places = {
            "man/man1": "man/man1",
            "bash-completion/completions": "bash-completion/completions",
            "zsh/site-functions": "zsh/vendor-completions",
            "fish/vendor_completions.d": "fish/vendor_completions.d",
        }
        for source, target in places.items():
            for file in sorted((made / source).iterdir()):
                trained = file.name.lstrip("_").startswith("eacf-train")
                place = self.stage("eacf-trainer" if trained else "eacf") / SHARE / target
                shutil.copy(file, _folder(place))

    def debian(self) -> None:
        """The folder debian/."""
        debian = self.tree / "debian"
        shutil.copytree(PACKAGING / "deb/debian", debian)
        control = (debian / "control.in").read_text().replace("@PYTHON@", self.depends)
        if "eacf-trainer" not in self.wanted:
            control = control.split("\nPackage: eacf-trainer\n")[0]
        (debian / "control.in").unlink()
        (debian / "control").write_text(control)
        date = format_datetime(datetime.fromtimestamp(self.when, UTC))
        (debian / "changelog").write_text(
            f"eacf ({self.version}) unstable; urgency=medium\n\n  * What is new: changelog.gz in this folder, of eacf itself.\n\n"
            f" -- the eacf maintainers <maintainers@eacf.invalid>  {date}\n"
        )
        for package in self.wanted:
            lines = [*_copyright(self.stage(package) / self.site, f"/{self.site}")]
            (debian / f"{package}.copyright").write_text("\n".join(lines))

    def packages(self, out: Path, level: int) -> list[Path]:
        """The files, in `out`."""
        for cache in [*self.tree.rglob("__pycache__")]:
            sys.exit(f"{cache}: compiled code strayed into the package")
        log = self.folder / "build.log"
        with log.open("wb") as file:
            done = subprocess.run(
                [shutil.which("dpkg-buildpackage") or "", "--build=binary", "--no-sign", "--no-check-builddeps"],
                cwd=self.tree,
                env=os.environ | {"XZ_LEVEL": str(level), "SOURCE_DATE_EPOCH": str(self.when)},
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            tail = [line[:300] for line in log.read_text(errors="replace").splitlines()[-30:]]
            sys.exit("\n".join([*tail, f"dpkg-buildpackage failed; all it said: {log}"]))
        out.mkdir(parents=True, exist_ok=True)
        made = []
        for file in sorted(self.folder.glob(f"*_{self.version}_*.deb")):
            shutil.move(file, out / file.name)
            made.append(out / file.name)
        return made


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _copy(source: Path, target: Path, but: Path | None = None) -> None:
    """A folder of libraries without their tests; without what `but` holds, which must be the same there."""
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source)
        if "__pycache__" in name.parts or (name.parts[0] in TESTED and "tests" in name.parts):
            continue
        if name.as_posix().startswith(LEFT_OUT):
            continue
        if file.is_dir() and not file.is_symlink():
            continue
        if but is not None and (but / name).exists():
            if (
                name.name not in ("RECORD", "REQUESTED", "direct_url.json")
                and (but / name).read_bytes() != file.read_bytes()
            ):
                sys.exit(f"{name}: is in both packages, and not the same")
            continue
        copy = _folder(target / name.parent) / name.name
        shutil.copy2(file, copy, follow_symlinks=False)
        if not copy.is_symlink():
            copy.chmod(0o644)  # nothing there is a program


def _copyright(site: Path, shown: str) -> Iterator[str]:
    """What is in a package, of whom, and where each licence's text is: a library's lies beside it."""
    yield "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    yield "Upstream-Name: eacf"
    yield "Comment: Files of eacf itself are under the first licence here. The Python libraries beside it, as their makers built"
    yield " them, are under those that follow; their texts are in the folder that each paragraph names."
    yield ""
    yield "Files: *"
    yield "Copyright: the eacf maintainers"
    yield "License: BSD-3-Clause"
    for line in (ROOT / "LICENSE").read_text().strip().splitlines():
        yield f" {line}" if line.strip() else " ."
    for metadata in sorted(site.glob("*.dist-info/METADATA")):
        head = email.message_from_string(metadata.read_text(encoding="utf-8"))
        name, version = str(head["Name"]), str(head["Version"])
        if name == "eacf":
            continue
        classified = [
            each.rsplit(":: ", 1)[1] for each in head.get_all("Classifier", []) if each.startswith("License ::")
        ]
        said = head["License-Expression"] or ", ".join(classified) or str(head["License"] or "").strip().split("\n")[0]
        texts = sorted(
            file
            for file in metadata.parent.rglob("*")
            if file.is_file() and file.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))
        )
        where = ", ".join(f"{shown}/{file.relative_to(site)}" for file in texts)
        yield ""
        yield f"Files: {shown.lstrip('/')}/{metadata.parent.name}/*"
        yield f"Copyright: the makers of {name} {version}"
        yield f"License: {''.join(c if c.isalnum() or c in '.+-' else '-' for c in name)}-licence"
        yield f" {said or 'as its makers say'}."
        yield f" {f'Text: {where}' if where else 'Its package holds no text of its own.'}"
    yield ""


def main() -> None:
    """Build."""
    parser = argparse.ArgumentParser(description="Build the Debian packages eacf and eacf-trainer.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the packages go (dist)")
    parser.add_argument("--work", type=Path, default=ROOT / "build/deb", help="folder to build in (build/deb)")
    parser.add_argument("--python", type=Path, default=Path("/usr/bin/python3"), help="Debian's own Python")
    parser.add_argument("--revision", default="1", help="Debian's part of the version (1)")
    parser.add_argument("--xz", type=int, default=1, metavar="LEVEL", help="0 is fast, 9 is small (1)")
    parser.add_argument("--only", choices=PACKAGES[:1], help="without the trainer, which is large")
    options = parser.parse_args()
    for tool, package in (
        ("dh", "debhelper"),
        ("dpkg-buildpackage", "dpkg-dev"),
        (str(options.python), "python3-venv"),
    ):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not there: apt-get install {package}")
    sys.path.insert(0, str(ROOT / "plugin"))
    import eacf

    when = int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp())
    work = _folder(options.work.resolve())
    build = Build(
        work,
        options.python,
        f"{eacf.__version__}-{options.revision}",
        when,
        [options.only] if options.only else PACKAGES,
    )
    build.libraries()
    build.environment()
    build.files()
    build.manual()
    build.debian()
    for file in build.packages(options.out.resolve(), options.xz):
        print(f"{file} ({file.stat().st_size / 1e6:,.0f} MB)")


if __name__ == "__main__":
    main()
