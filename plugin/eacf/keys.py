"""Keys that say who made a bundle or gave an order: Ed25519 (RFC 8032), in PEM files as `openssl` writes and reads them.

A key's id is the first 16 hex digits of the SHA-256 of its 32 public bytes. A private key has a counter beside it
(``NAME.serial``): each number that is signed is above all before it, also after a clock was set back.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eacf.errors import SettingError
from eacf.files import locked, replace, sync_folder

ID_DIGITS = 16
MAX_FILE = 1 << 20
MAX_TRUSTED = 1000
"""Public keys in one file or folder."""
LOCK_S = 10.0
"""How long a command waits for another that takes a number of the same key."""
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
NEW = "`eacf keys new NAME` makes one"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Checks what its private key signed."""

    raw: bytes
    """32 bytes."""

    @property
    def id(self) -> str:
        """16 hex digits, by which a signature names its key."""
        return self.fingerprint[:ID_DIGITS]

    @property
    def fingerprint(self) -> str:
        """64 hex digits: SHA-256 of the raw key; for people who compare two."""
        return hashlib.sha256(self.raw).hexdigest()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's, over `data`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """As a ``.pub`` file holds it (RFC 8410)."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Signs. Never shown: its text form is that of its public half."""

    path: Path
    public: PublicKey
    _secret: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> PrivateKey:
        """From a PEM file that its owner alone can read. SettingError."""
        data, mode = contents(path)
        if mode & 0o077:
            raise SettingError(f"{path}: others can read this private key (mode {mode:04o}); chmod 600 {path}")
        try:
            secret = serialization.load_pem_private_key(data, password=None)
        except TypeError:
            raise SettingError(f"{path}: is under a password, which eacf cannot ask for; {NEW}") from None
        except (ValueError, UnsupportedAlgorithm):
            raise SettingError(f"{path}: holds no private key (PEM, PKCS #8); {NEW}") from None
        if not isinstance(secret, Ed25519PrivateKey):
            raise SettingError(f"{path}: is another kind of key, only Ed25519 signs bundles; {NEW}")
        return cls(path, _public(secret.public_key()), secret)

    @property
    def id(self) -> str:
        return self.public.id

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._secret.sign(data)


class Trusted:
    """Public keys whose bundles and orders are taken, by id."""

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self._keys = {key.id: key for key in keys}

    @classmethod
    def read(cls, path: Path | None) -> Trusted:
        """A PEM file with one or more public keys, or a folder of ``.pub`` files; None: no key. SettingError."""
        return cls(() if path is None else public_keys(path))

    def get(self, key_id: str) -> PublicKey | None:
        return self._keys.get(key_id)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())


def new(path: Path) -> tuple[PrivateKey, Path]:
    """Make a pair: ``NAME.key`` (0600) and ``NAME.pub`` for `path` NAME or NAME.key; the key, and the public file.

    SettingError where one of them is there already: a key that is overwritten is lost.
    """
    secret = Ed25519PrivateKey.generate()
    public = _public(secret.public_key())
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private_path, public_path = beside(path, ".key"), beside(path, ".pub")
    if public_path.exists():
        raise SettingError(f"{public_path}: is there already; choose another name, or move it away")
    create(private_path, pem, 0o600)
    create(public_path, public.pem(), 0o644)
    sync_folder(private_path.parent)
    return PrivateKey(private_path, public, secret), public_path


def beside(path: Path, suffix: str) -> Path:
    """``NAME<suffix>`` for NAME or NAME.key."""
    return path.with_name(path.name.removesuffix(".key") + suffix)


def next_serial(keyfile: Path, now: float) -> int:
    """A number for the next thing that this key signs: whole seconds since the epoch (`now`), or one more than the last.

    The last one is kept in ``NAME.serial``, on disk before this returns, so that no two processes get the same.
    SettingError where that file is none of ours or cannot be written.
    """
    path = beside(keyfile, ".serial")
    try:
        descriptor = os.open(keyfile, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SettingError(f"{keyfile}: cannot be read ({error.strerror}); {NEW}") from None
    try:
        with locked(descriptor, LOCK_S):
            serial = max(_last(path) + 1, int(now), 1)
            replace(path, f"{serial}\n".encode(), 0o600)
    except BlockingIOError:
        raise SettingError(f"{keyfile}: another process has held it for {LOCK_S:g} s; end that one") from None
    except OSError as error:
        raise SettingError(
            f"{path}: cannot be written ({error.strerror}); without it a number could be signed twice"
        ) from None
    finally:
        os.close(descriptor)
    return serial


def _last(path: Path) -> int:
    try:
        text = path.read_bytes()[:40].strip()
    except FileNotFoundError:
        return 0
    if not text.isdigit():
        raise SettingError(
            f"{path}: holds no number; write into it the serial of the last bundle that this key signed "
            "(`eacf bundle show`), or one above all that it can have been"
        )
    return int(text)


def public_keys(path: Path) -> list[PublicKey]:
    """The keys of a PEM file, or of a folder's ``.pub`` files in the order of their names. SettingError."""
    files = sorted(path.glob("*.pub")) if path.is_dir() else [path]
    if not files:
        raise SettingError(f"{path}: holds no .pub file; copy the public keys of those you trust there")
    keys = [key for file in files for key in _pem_keys(file)]
    if len(keys) > MAX_TRUSTED:
        raise SettingError(f"{path}: holds {len(keys)} keys; at most {MAX_TRUSTED} are allowed")
    return keys


def _pem_keys(path: Path) -> list[PublicKey]:
    data, mode = contents(path)
    if mode & 0o002:
        raise SettingError(f"{path}: anyone can write this file, and so choose who is trusted; chmod o-w {path}")
    keys = []
    for block in _PEM.finditer(data):
        if block[1] != b"PUBLIC KEY":
            kind = block[1].decode("ascii").lower()
            raise SettingError(f"{path}: holds a {kind}; only public keys belong here (NAME.pub)")
        try:
            key = serialization.load_pem_public_key(block[0])
        except (ValueError, UnsupportedAlgorithm):
            raise SettingError(f"{path}: a public key in it is damaged; copy the file again") from None
        if not isinstance(key, Ed25519PublicKey):
            raise SettingError(f"{path}: holds another kind of key, only Ed25519 signs bundles; {NEW}")
        keys.append(_public(key))
    if not keys:
        raise SettingError(f"{path}: holds no public key (PEM); name a NAME.pub of `eacf keys new`")
    return keys


def _public(key: Ed25519PublicKey) -> PublicKey:
    return PublicKey(key.public_bytes_raw())


def contents(path: Path) -> tuple[bytes, int]:
    """A regular file's bytes and permissions. SettingError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); name a key's file") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE:
            raise SettingError(f"{path}: is no file of keys; name one")
        return os.read(descriptor, MAX_FILE), stat.S_IMODE(found.st_mode)
    finally:
        os.close(descriptor)


def create(path: Path, data: bytes, mode: int) -> None:
    """A new file, on disk. SettingError where there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise SettingError(f"{path}: is there already; choose another name, or move it away") from None
    except OSError as error:
        raise SettingError(f"{path}: cannot be written ({error.strerror}); name a folder of yours") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
