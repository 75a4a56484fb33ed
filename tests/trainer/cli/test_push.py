"""`eacf-train push` against workers on a real bus that say what the test wants; a real worker is asked in tests/worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import EmbeddedBus, Peer
from eacf.delivery import Outcome
from eacf.wire import ModelDone, ModelOffer, decode_message, encode_model, flow_topic, model_topic
from eacf_trainer.cli import main
from eacf_trainer.cli.push import code

A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    keys.new(tmp_path / "ops")
    return tmp_path / "ops.key"


Pretend = Callable[[dict[str, str]], AbstractContextManager[list[str]]]


@pytest.fixture
def pretend(tmp_path: Path) -> Pretend:
    """Workers that answer every offer with this outcome (`deaf`: they take none); gives the flags of their bus, and keeps
    the manifests that were offered in `offers`."""

    @contextmanager
    def run(outcomes: dict[str, str]) -> Iterator[list[str]]:
        end, ready = threading.Event(), threading.Barrier(len(outcomes) + 1)

        def worker(name: str, what: str) -> None:
            topics = [flow_topic(name)] if what == "deaf" else [flow_topic(name), model_topic(name)]
            with Peer(bus.endpoints, name, topics, watch=True) as peer:
                seen: set[bytes] = set()
                while not set(topics) <= seen:
                    peer.wait(0.1)
                    seen |= {topic for added, topic in peer.subscriptions() if added}
                ready.wait()
                while not end.is_set():
                    peer.wait(0.02)
                    for frames in peer.receive(100):
                        offer = decode_message(frames[3])
                        if isinstance(offer, ModelOffer):
                            (tmp_path / f"{name}.offer").write_bytes(offer.manifest)
                            model = signing.read_manifest(offer.manifest).id
                            reply = ModelDone(name, model, what, "why not" if what == "refused" else "")
                            peer.send(offer.reply_to.encode(), encode_model(reply))

        with EmbeddedBus() as bus:
            threads = [threading.Thread(target=worker, args=each) for each in outcomes.items()]
            for thread in threads:
                thread.start()
            ready.wait()
            yield [
                "--subscribe-endpoint",
                bus.endpoints.subscribe,
                "--publish-endpoint",
                bus.endpoints.publish,
                "--timeout",
                "2",
            ]
            end.set()
            for thread in threads:
                thread.join()

    return run


def test_signs_sends_and_says_who_took_it(
    pretend: Pretend, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pretend({A: "serving", B: "deaf"}) as bus:
        assert main(["push", str(bundle.default_path()), "--key", str(key), *bus]) == 0
        out = capsys.readouterr().out.splitlines()
        assert out == [
            f"worker {A}: serves",
            f"worker {B}: takes none: it takes no models: set model_store and trusted_keys there",
        ]
        trusted = keys.Trusted([keys.PrivateKey.read(key).public])
        first = signing.verify((tmp_path / f"{A}.offer").read_bytes(), trusted)
        assert first.purpose == "serve"
        assert main(["push", str(bundle.default_path()), "--key", str(key), "--shadow", *bus]) == 0
        second = signing.verify((tmp_path / f"{A}.offer").read_bytes(), trusted)
        assert second.purpose == "shadow"
        assert second.serial > first.serial


def test_one_that_refuses_is_a_failure_with_its_reason(
    pretend: Pretend, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pretend({A: "serving", B: "refused"}) as bus:
        assert main(["push", str(bundle.default_path()), "--key", str(key), *bus]) == 1
    assert capsys.readouterr().out.splitlines()[1] == f"worker {B}: refused: why not"


def test_nobody_there(pretend: Pretend, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pretend({A: "deaf"}) as bus:
        assert main(["push", str(bundle.default_path()), "--key", str(key), *bus[:-1], "0.5"]) == 1
    assert "took it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({}, 1),
        ({A: "serving"}, 0),
        ({A: "shadow"}, 0),
        ({A: "kept"}, 0),
        ({A: "deaf"}, 1),
        ({A: "serving", B: "deaf"}, 0),
        ({A: "serving", B: "refused"}, 1),
        ({A: "serving", B: "silent"}, 1),
        ({A: "serving", B: "gone"}, 1),
    ],
)
def test_exit_codes(outcomes: dict[str, str], expected: int) -> None:
    assert code({worker: Outcome(what) for worker, what in outcomes.items()}) == expected


def test_mistakes(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = str(bundle.default_path())
    signed = tmp_path / "signed.eacf"
    signed.write_bytes(signing.sign(bundle.default_path().read_bytes(), keys.PrivateKey.read(key), serial=1))
    for arguments, exit_code, word in [
        ([str(tmp_path / "none.eacf"), "--key", str(key)], 2, "no such file"),
        ([shipped, "--key", str(tmp_path / "none.key")], 2, "none.key"),
        ([shipped, "--timeout", "0"], 2, "--timeout"),
        ([shipped], 1, "is not signed"),
        ([str(signed), "--shadow"], 2, "give --key"),
        ([str(key), "--key", str(key)], 1, "no zip"),
    ]:
        assert main(["push", *arguments]) == exit_code
        assert word in capsys.readouterr().err
