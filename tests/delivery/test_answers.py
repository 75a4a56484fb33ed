"""What a worker says to those who push: each letter once, and the last ones again for who missed them."""

from __future__ import annotations

import pytest

from eacf.delivery.answers import MAX_TOLD, Answers
from eacf.delivery.outcome import Letter, Outcome
from eacf.wire import MAX_REASON, Message, ModelDone, ModelOrdered, ModelWant, control_reply_topic, decode_message

WORKER, MODEL = "0123456789ab", "ba9876543210"
A, B = (control_reply_topic(asker).decode() for asker in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
SERVING = Outcome("serving", "model x")


@pytest.fixture
def answers() -> Answers:
    return Answers(WORKER)


def told(letters: list[Letter]) -> list[tuple[str, Message]]:
    return [(letter.topic.decode(), decode_message(letter.body)) for letter in letters]


def test_letters_leave_once_in_their_order(answers: Answers) -> None:
    answers.want(A, MODEL, 10, 20)
    answers.done(B, "errand", MODEL, SERVING)
    answers.ordered(A, "order", Outcome("off"))
    assert told(answers.leave()) == [
        (A, ModelWant(WORKER, MODEL, 10, 20)),
        (B, ModelDone(WORKER, MODEL, "serving", "model x")),
        (A, ModelOrdered(WORKER, "off", "")),
    ]
    assert answers.leave() == []


def test_an_answer_is_said_again_to_the_one_who_asked_and_for_that_errand_alone(answers: Answers) -> None:
    answers.want(A, MODEL, 0, 1)
    answers.done(A, "errand", MODEL, SERVING)
    first = answers.leave()[-1:]
    assert not answers.again(B, "errand")
    assert not answers.again(A, "other")
    assert answers.leave() == []
    for _ in range(2):
        assert answers.again(A, "errand")
        assert answers.leave() == first


def test_of_one_errand_the_later_answer_counts(answers: Answers) -> None:
    answers.ordered(A, "order", Outcome("refused", "why"))
    answers.ordered(A, "order", SERVING)
    answers.leave()
    assert answers.again(A, "order")
    assert told(answers.leave()) == [(A, ModelOrdered(WORKER, "serving", "model x"))]


def test_only_the_last_ones_are_kept(answers: Answers) -> None:
    for number in range(MAX_TOLD + 2):
        answers.done(A, f"{number}", MODEL, SERVING)
    assert len(answers.leave()) == MAX_TOLD + 2
    assert [answers.again(A, f"{number}") for number in (0, 1, 2, MAX_TOLD + 1)] == [False, False, True, True]


@pytest.mark.parametrize("reason", ["x" * (MAX_REASON + 1), "ä" * MAX_REASON, "\U0001f512" * MAX_REASON])
def test_a_reason_that_is_too_long_is_cut_and_can_be_read(answers: Answers, reason: str) -> None:
    answers.done(A, "errand", MODEL, Outcome("refused", reason))
    answers.ordered(A, "order", Outcome("refused", reason))
    for _, message in told(answers.leave()):
        assert isinstance(message, ModelDone | ModelOrdered)
        assert message.reason.endswith(" ...")
        assert reason.startswith(message.reason[:-4])
