"""How a flow becomes an array: the one place that training and serving share.

A feature takes samples and gives uint8 rows. It has a name, a version and parameters, which a bundle's manifest keeps,
and says what a sensor must collect for it (`needs`). ``paper`` is the paper's, ``payload`` and ``gaps`` its halves,
``shape`` and
``lengths`` what we ship.
"""

from __future__ import annotations

from collections.abc import Mapping

from eacf.errors import BundleError, SettingError
from eacf.features.base import Features
from eacf.features.lengths import Layout, Lengths
from eacf.features.paper import GapsOnly, Paper, PayloadOnly
from eacf.features.shape import Shape

__all__ = ["Features", "GapsOnly", "Layout", "Lengths", "Paper", "PayloadOnly", "Shape", "from_spec"]

KNOWN: dict[str, type[Features]] = {each.name: each for each in (Paper, PayloadOnly, GapsOnly, Shape, Lengths)}


def from_spec(spec: object) -> Features:
    """Features as a manifest names them. Raises BundleError that names the field and the remedy."""
    if not isinstance(spec, Mapping) or set(spec) != {"name", "version", "parameters"}:
        raise BundleError("features: must be an object of name, version and parameters; build the bundle again")
    name, version, parameters = spec["name"], spec["version"], spec["parameters"]
    known = KNOWN.get(name) if isinstance(name, str) else None
    if known is None:
        shown = repr(name[:40]) if isinstance(name, str) else "not a text"
        raise BundleError(
            f"features.name: {shown}; this eacf knows {', '.join(sorted(KNOWN))}; update eacf or build the bundle again"
        )
    if type(version) is not int or version != known.version:
        raise BundleError(
            f"features.version: this eacf makes version {known.version} of {name!r}, the bundle asks for another; "
            "use the eacf that the bundle was built with, or build it again"
        )
    if not isinstance(parameters, Mapping):
        raise BundleError("features.parameters: must be an object; build the bundle again")
    try:
        return known.from_parameters(parameters)
    except SettingError as error:
        raise BundleError(f"features.parameters: {error}; build the bundle again") from error
