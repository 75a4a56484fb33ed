"""Keys of ZeroMQ's CURVE (Curve25519, RFC 26 of ZeroMQ), for a bus that leaves the machine: who may come in, and to whom.

They do not sign: `eacf.keys` has those that do. A pair is two files in the form of ZeroMQ's own certificates (``zmq.auth``):
``NAME.curve`` holds the secret and stays where it is, ``NAME.curve.pub`` goes to the other end. A key is said in Z85 (RFC 32
of ZeroMQ): 40 characters for 32 bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from eacf.errors import SettingError
from eacf.files import sync_folder
from eacf.keys import contents, create

SECRET, PUBLIC = ".curve", ".curve.pub"
NEW = "`eacf keys new --curve NAME` makes a pair"
MAX_CLIENTS = 1000
"""Public keys in one folder of clients."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_FIELD = re.compile(r"^\s*(public-key|secret-key)\s*=\s*[\"']?([^\"'\s]*)[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A secret key and its public half, in Z85. Never shown whole: its text form is that of the public half."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BusKeys:
    """What a peer needs to speak to a relay: its own pair, and the relay's public key (Z85)."""

    own: Pair
    server: str


def z85(data: bytes) -> str:
    """Bytes, a multiple of four, as text."""
    out = []
    for at in range(0, len(data), 4):
        word = int.from_bytes(data[at : at + 4], "big")
        out += [_DIGITS[word // 85**place % 85] for place in (4, 3, 2, 1, 0)]
    return "".join(out)


def unz85(text: str) -> bytes | None:
    """The bytes of a text; None where it is no Z85."""
    if len(text) % 5 or any(digit not in _VALUES for digit in text):
        return None
    out = bytearray()
    for at in range(0, len(text), 5):
        word = 0
        for digit in text[at : at + 5]:
            word = word * 85 + _VALUES[digit]
        if word >= 1 << 32:
            return None
        out += word.to_bytes(4, "big")
    return bytes(out)


def new(path: Path) -> tuple[Pair, Path, Path]:
    """Make a pair for `path` NAME: the pair, ``NAME.curve`` (0600) and ``NAME.curve.pub``. SettingError where one of them is
    there already: a key that is overwritten is lost."""
    secret = X25519PrivateKey.generate()
    pair = Pair(z85(secret.public_key().public_bytes_raw()), z85(secret.private_bytes_raw()))
    name = path.name.removesuffix(SECRET)
    secret_path, public_path = path.with_name(name + SECRET), path.with_name(name + PUBLIC)
    if public_path.exists():
        raise SettingError(f"{public_path}: is there already; choose another name, or move it away")
    head = (
        f'# CURVE key of {name!r}, made by `eacf keys new --curve`\nmetadata\ncurve\n    public-key = "{pair.public}"\n'
    )
    create(secret_path, f'# SECRET: keep it to yourself\n{head}    secret-key = "{pair.secret}"\n'.encode(), 0o600)
    create(public_path, head.encode(), 0o644)
    sync_folder(secret_path.parent)
    return pair, secret_path, public_path


def read_pair(path: Path) -> Pair:
    """From a file that its owner alone can read. SettingError."""
    data, mode = contents(path)
    if mode & 0o077:
        raise SettingError(f"{path}: others can read this secret key (mode {mode:04o}); chmod 600 {path}")
    raw = _raw(data, "secret-key")
    if raw is None:
        raise SettingError(f'{path}: holds no secret CURVE key (secret-key = "40 characters"); {NEW}')
    return Pair(z85(X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()), z85(raw))


def read_public(path: Path) -> str:
    """The public key of a file that holds no secret and that not everybody can write. SettingError."""
    data, mode = contents(path)
    if mode & 0o002:
        raise SettingError(f"{path}: anyone can write this file, and so choose who is trusted; chmod o-w {path}")
    if _raw(data, "secret-key") is not None:
        raise SettingError(f"{path}: holds a secret key; only public keys belong here (NAME{PUBLIC})")
    raw = _raw(data, "public-key")
    if raw is None:
        raise SettingError(f'{path}: holds no public CURVE key (public-key = "40 characters"); {NEW}')
    return z85(raw)


def read_clients(folder: Path, roles: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Who is let in: public key (Z85) to name and role. The ``.pub`` files of ``folder/ROLE/``, and of the folder itself,
    whose role is "". A folder without any lets nobody in. SettingError: a sub-folder that is no role, a key twice, a bad file."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise SettingError(
            f"{folder}: cannot be read ({error.strerror}); name a folder of clients' public keys"
        ) from None
    files = [("", path) for path in entries if path.suffix == ".pub" and not path.is_dir()]
    for entry in entries:
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        if entry.name not in roles:
            raise SettingError(f"{entry}: no such role; a sub-folder must be one of {', '.join(roles)}")
        files += [(entry.name, path) for path in sorted(entry.glob("*.pub"))]
    if len(files) > MAX_CLIENTS:
        raise SettingError(f"{folder}: holds {len(files)} keys; at most {MAX_CLIENTS} are allowed")
    clients: dict[str, tuple[str, str]] = {}
    for role, path in files:
        key = read_public(path)
        if key in clients:
            raise SettingError(f"{path}: the same key is there as {clients[key][0]!r}, too; leave one of them")
        clients[key] = (path.name.removesuffix(".pub").removesuffix(SECRET), role)
    return clients


def _raw(data: bytes, name: str) -> bytes | None:
    """The 32 bytes of a field; None where it is not there, or none."""
    for found in _FIELD.finditer(data.decode("utf-8", "replace")):
        if found[1] == name:
            raw = unz85(found[2])
            return raw if raw is not None and len(raw) == 32 else None
    return None
