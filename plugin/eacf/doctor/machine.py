"""What is installed on this machine: the runtime, the bundle, Zeek and our package for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eacf import bundle as bundles
from eacf import sensor
from eacf.bundle import Bundle
from eacf.doctor.finding import Finding, ok, problem, warning
from eacf.errors import BundleError, SettingError
from eacf.inference.probing import probe
from eacf.inference.runtime import choose
from eacf.reports import needs_in_words

ELSEWHERE = "if the sensor is another machine, run this there too; else "


def runtime() -> Finding:
    """Whether a model can be run at all."""
    try:
        return ok("runtime", str(choose()))
    except SettingError as error:
        return problem("runtime", str(error), "pip install ai-edge-litert, into the environment that eacf runs in")


def bundle(path: Path) -> tuple[Finding, Bundle | None]:
    """Whether the bundle is whole and its trial passes, in a process of its own as at a reload; and the bundle."""
    try:
        data = bundles.read_file(path)
        loaded = bundles.from_bytes(data, str(path))
        probe(data, str(path))
    except BundleError as error:
        remedy = "put a good bundle there, or name another (--bundle); `eacf bundle show FILE` checks one"
        return problem("bundle", str(error), remedy), None
    needs = {"payload_bytes": loaded.needs.payload_bytes, "window_bytes": loaded.needs.window_bytes}
    needs |= {"records": loaded.needs.records or 8, "chunks": loaded.needs.chunks}
    said = (
        f"{loaded.name} {loaded.version} (id {loaded.id}) loads, its trial passes; it asks for {needs_in_words(needs)}"
    )
    return ok("bundle", said), loaded


def zeek() -> Iterator[Finding]:
    """The program, what it was built with, and whether it finds our package; nothing more where there is no program."""
    program = sensor.find_zeek()
    if program is None:
        yield warning("zeek program", "there is no zeek on the PATH of this shell", ELSEWHERE + sensor.GET_ZEEK)
        return
    version = sensor.version_of(sensor.ask_zeek(program, "--version") or "")
    if version is None:
        yield problem(
            "zeek program", f"{program} does not say its version", f"run {program} --version; {sensor.GET_ZEEK}"
        )
        return
    if not version.fits:
        yield problem("zeek program", f"{program} is {version.said}, older than 8.0", sensor.GET_ZEEK)
        return
    yield ok("zeek program", f"{program} is {version.said}")
    yield backend(program)
    yield package(program)


def backend(program: Path) -> Finding:
    """Whether that Zeek can speak the bus."""
    if sensor.has_zeromq(program):
        return ok("zeek backend", "built with the ZeroMQ cluster backend")
    return problem(
        "zeek backend",
        f"zeek -N does not list {sensor.ZEROMQ}: this Zeek cannot speak the bus",
        "install a package of zeek.org, or build Zeek with libzmq and cppzmq and without --disable-cluster-backend-zeromq",
    )


def package(program: Path) -> Finding:
    """Whether that Zeek finds our scripts by name."""
    name, complaint = sensor.package_of(program)
    if name is not None:
        return ok("zeek package", f"`@load {name}` works; it must also stand in local.zeek")
    if complaint:
        remedy = "install the package again (zkg upgrade eacf), of the same release as this eacf"
        return problem("zeek package", f"Zeek finds the package and cannot load it: {complaint}", remedy)
    try:
        shipped = sensor.zeek_scripts()
    except SettingError as error:
        return problem("zeek package", f"`@load eacf` fails, and {error}", "install eacf again, then the package")
    return warning(
        "zeek package",
        "`@load eacf` fails with the ZEEKPATH of this shell",
        f"zkg install the repository and `@load packages`, or write `@load {shipped}` into local.zeek; then restart Zeek",
    )
