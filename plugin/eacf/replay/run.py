"""A replay from end to end: an embedded bus on endpoints of its own, a worker process, and the captures one by one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eacf.bus import EmbeddedBus, Peer
from eacf.collector import ALL, Collector, Selection, collect
from eacf.errors import CaptureError, SettingError
from eacf.replay import sources
from eacf.replay.ledger import VERDICT_TIMEOUT_S, Gatherer, Ledger
from eacf.replay.process import WorkerProcess
from eacf.replay.publisher import Publisher
from eacf.replay.record import RECORD_NEEDS, Record, RecordingCollector
from eacf.replay.result import Result
from eacf.replay.sources import Capture
from eacf.verdict import Info
from eacf.wire import ZEEK_TOPIC, verdict_topic


def replay(
    captures: Capture | Iterable[Capture],
    *,
    bundle: Path | str | None = None,
    flow_timeout_s: float = 0.0,
    selection: Selection = ALL,
    verdict_timeout_s: float = VERDICT_TIMEOUT_S,
    record: Path | str | None = None,
    on_info: Callable[[Info], None] | None = None,
    keep: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Read captures, send their flows to a worker over ZeroMQ, and gather what it says.

    `bundle`: the one that eacf ships where None. `flow_timeout_s`: a sample goes out so long after its first chunk at
    the latest, in packet time; 0 (the default): when it is complete or its connection ends. `selection`: which connections
    are collected. `verdict_timeout_s`: a flow without an answer for so long gets the reason "timeout". `record`: a file
    for the flows as messages. `on_info` is called with each line as it is settled; with ``keep=False`` the result does
    not hold them. `progress` gets the bytes of captures read so far, every so often.

    Raises :class:`SettingError` (a capture or bundle that is not there, a number out of range), :class:`CaptureError`
    (no capture could be read), :class:`BundleError`, and :class:`WorkerError` (the worker ended or hangs).
    """
    files = sources.listed(captures)
    sources.check(files, flow_timeout_s)
    path = sources.bundle_path(bundle)
    result = Result()

    def settled(info: Info) -> None:
        if keep:
            result.infos.append(info)
        if on_info is not None:
            on_info(info)

    ledger = Ledger(timeout_s=verdict_timeout_s)
    result.counts = ledger.counts
    with _sensor(path, ledger, settled) as (publisher, node):
        hello = publisher.greet()
        result.model, result.worker, result.needs = hello.model, hello.worker, hello.needs
        with ExitStack() as stack:
            out = None
            if record is not None:
                out = stack.enter_context(_record(record, verdict_topic(node).decode(), node))
            reader = _Reader(publisher, out, result, flow_timeout_s, selection, progress)
            for source in files:
                reader.read(source)
            publisher.drain()
            if len(result.unreadable) == len(files):
                raise CaptureError("\n".join(result.unreadable))
    return result


@contextmanager
def _sensor(bundle: Path, ledger: Ledger, on_info: Callable[[Info], None]) -> Iterator[tuple[Publisher, str]]:
    """A bus, a worker on it, and our own place beside it; all gone afterwards. Yields also our node id."""
    node = f"eacf-replay-{secrets.token_hex(6)}"
    reply_to = verdict_topic(node)
    # The verdicts' topic first: subscriptions travel in order, so a worker whose hello came knows of both.
    with (
        EmbeddedBus() as bus,
        Peer(bus.endpoints, node, [reply_to, ZEEK_TOPIC], watch=True) as peer,
        WorkerProcess(bundle, bus.endpoints) as process,
    ):
        yield Publisher(peer, process, ledger, reply_to=reply_to.decode(), on_info=on_info), node


class _Reader:
    """Reads captures, one after the other, into a publisher; what is wrong with one goes into the result."""

    def __init__(
        self,
        publisher: Publisher,
        record: Record | None,
        result: Result,
        flow_timeout_s: float,
        selection: Selection,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._publisher = publisher
        self._record = record
        self._result = result
        self._flow_timeout_s = flow_timeout_s
        self._selection = selection
        self._progress = progress
        self._gatherer = Gatherer()
        self._before = 0  # bytes of the captures read before
        self._here = 0  # bytes of this one

    def read(self, source: Capture) -> None:
        """One capture, through."""
        result, record = self._result, self._record
        apart = record is not None and result.needs != RECORD_NEEDS
        kind = RecordingCollector if apart else Collector
        collector = kind(result.needs, flow_timeout_s=self._flow_timeout_s, selection=self._selection)
        self._before, self._here = self._before + self._here, 0
        try:
            for time_ns, sample, also, _ in collect(
                sources.opened(source), collector=collector, progress=self._on_block
            ):
                if record is not None and also == apart:
                    record.write(self._publisher.topic, sample)
                if not also:
                    for batch in self._gatherer.add(time_ns, sample):
                        self._publisher.publish(batch)
        except CaptureError as error:
            result.unreadable.append(str(error))
        self._publisher.publish(self._gatherer.take())
        result.collected.update(dict(collector.counters))
        if collector.counters.damaged_files:
            result.damaged.append(sources.name_of(source))

    def _on_block(self, count: int) -> None:
        """The next block takes long to work through, or to come: what this one held is answered before that.

        Answers would wait for us otherwise, and look late, and a live capture's last flows would wait for the next ones.
        """
        self._here = count
        self._publisher.publish(self._gatherer.take())
        self._publisher.drain()
        if self._progress is not None:
            self._progress(self._before + count)


def _record(path: Path | str, reply_to: str, node: str) -> Record:
    try:
        return Record(path, reply_to=reply_to, sender=node)
    except OSError as error:
        raise SettingError(f"--record {path}: {error.strerror}; name a file that can be written") from error
