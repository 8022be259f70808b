import pytest

import archwright as aw
from archwright.core.asking import answer_or_failure
from archwright.core.errors import ArchwrightError

TRIAL = aw.Trial(aw.Architecture((("edge", 1),)), 0.5, 3)


class Says:
    def briefing(self, space, history, trial):
        return None

    def estimate(self, space, trial, briefing=None):
        if isinstance(briefing, BaseException):
            raise briefing
        return aw.Evaluation(trial, {"told": briefing}, cost=7.0)


def test_an_answer_is_handed_on():
    assert answer_or_failure(Says(), None, TRIAL, 2.0) == aw.Evaluation(TRIAL, {"told": 2.0}, cost=7.0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ArchwrightError("too wide"), "too wide"),
        (ValueError("odd"), "ValueError: odd"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_what_is_raised_is_the_reason_of_a_failure(error, reason):
    found = answer_or_failure(Says(), None, TRIAL, error)
    assert found.trial == TRIAL
    assert found.failure.startswith(reason)
    assert found.metrics == {}
    assert 0.0 < found.cost < 5.0


def test_who_interrupts_is_heard():
    with pytest.raises(KeyboardInterrupt):
        answer_or_failure(Says(), None, TRIAL, KeyboardInterrupt())
