from __future__ import annotations

from collections.abc import Callable

from eacf.engine.shadow import ROOM, Shadow
from eacf.flow import Sample
from eacf.inference import Model
from eacf.verdict import Verdict

MakeSamples = Callable[..., list[Sample]]


def named(model: Model, samples: list[Sample]) -> list[Sample]:
    """Under names of the model's labels, in turn, each from a client of its own."""
    for at, sample in enumerate(samples):
        sample.server_name = model.bundle.labels[at % 3]
        sample.orig_h += at
    return samples


def test_the_same_model_agrees_with_itself(model: Model, other: Model, samples: MakeSamples) -> None:
    shadow = Shadow(other, model, 32, 1000)
    flows = named(model, samples(100))
    shadow.offer(flows, model.verdicts(flows))
    steps = 1
    while shadow.step(1.0):
        steps += 1
    told = shadow.report()
    assert steps == 4
    assert told["bundle"]["id"] == other.bundle.id
    assert (told["scored"], told["skipped"], told["agreement"], told["exams"]) == (100, 0, 1.0, 100)
    assert told["serving"] == {key: told[key] for key in told["serving"]}


def test_both_are_examined_on_the_same_flows(model: Model, samples: MakeSamples) -> None:
    shadow = Shadow(model, model, 32, 1000)
    flows = named(model, samples(30))
    names = [sample.server_name for sample in flows]
    right = [Verdict(sample.uid, name, 0.9, "m", None, name) for sample, name in zip(flows, names, strict=True)]
    shadow.offer(flows, right)
    shadow.step(1.0)
    told = shadow.report()
    own = [verdict.label for verdict in model.verdicts(flows)]
    assert told["serving"]["accuracy"] == 1.0
    assert told["right"] == sum(label == name for label, name in zip(own, names, strict=True))
    assert told["exams"] == told["serving"]["exams"] == 30
    assert told["agreement"] == round(told["right"] / 30, 4)


def test_what_waits_is_bounded(model: Model, samples: MakeSamples) -> None:
    shadow = Shadow(model, model, 32, 1000)
    flows = samples(100)
    answers = model.verdicts(flows)
    for _ in range(4):
        shadow.offer(flows, answers)
    assert shadow.skipped == 400 - ROOM
    while shadow.step(1.0):
        pass
    assert shadow.scored == ROOM


def test_what_one_of_both_cannot_judge_is_no_exam(model: Model, samples: MakeSamples) -> None:
    shadow = Shadow(model, model, 32, 1000)
    flows = named(model, samples(3))
    flows[0].records = []
    shadow.offer(flows, model.verdicts(flows))
    shadow.step(1.0)
    told = shadow.report()
    assert (told["scored"], told["refused"], told["exams"], told["serving"]["exams"]) == (3, 1, 2, 2)


def test_names_that_one_of_both_does_not_know_are_no_exams(model: Model, samples: MakeSamples) -> None:
    shadow = Shadow(model, model, 32, 1000)
    flows = named(model, samples(3))
    flows[0].server_name = "cloudflare-ech.com"
    flows[1].server_name = None
    shadow.offer(flows, model.verdicts(flows))
    shadow.step(1.0)
    assert shadow.report()["exams"] == 1


def test_nothing_to_do(model: Model) -> None:
    shadow = Shadow(model, model, 32, 1000)
    assert not shadow.step(1.0)
    assert shadow.report()["agreement"] is None
