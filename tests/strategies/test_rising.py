import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.strategies import Rising
from archwright.strategies.rungs import is_promotion
from archwright.testing import check_strategy
from tests.strategies.test_rungs import edges, run


def test_the_fidelity_rises_step_by_step():
    history = run(Rising(lowest=1 / 9, evaluations=60, carried=0), 100).history
    fidelities = [e.trial.fidelity for e in history]
    assert fidelities == pytest.approx([1 / 9] * 30 + [1 / 3] * 30 + [1.0] * 40)
    assert not any(is_promotion(history, e.trial) for e in history)


def test_the_best_are_carried_up_at_each_step():
    history = run(Rising(lowest=1 / 9, evaluations=60, carried=5), 100).history
    for begin in (30, 60):
        below = list(range(begin - 30, begin))
        best = sorted(below, key=lambda position: history[position].metrics["loss"])[:5]
        risen = [history[position].trial for position in range(begin, begin + 5)]
        assert [trial.parent for trial in risen] == best
        assert [trial.architecture for trial in risen] == [history[position].trial.architecture for position in best]
        assert not any(is_promotion(history, history[position].trial) for position in range(begin + 5, begin + 30))


@pytest.mark.parametrize("workers", [1, 4])
def test_rejections_do_not_make_it_rise(workers):
    history = run(Rising(lowest=1 / 3, evaluations=40, carried=0), 60, workers=workers, rejecting=50).history
    kept = [e.trial.fidelity for e in history if not e.rejected]
    assert len(history) > 80
    assert abs(kept.count(pytest.approx(1 / 3)) - 40) < workers


def test_a_sampler_inside_goes_on_from_what_was_carried():
    of = aw.strategies.RegularizedEvolution(population=8, sample=4)
    history = run(Rising(of, lowest=1 / 3, evaluations=40, carried=8, enough=8), 80).history
    born = [e for e in history if e.trial.fidelity == 1.0 and not is_promotion(history, e.trial)]
    assert {history[e.trial.parent].trial.fidelity for e in born} == {1.0}


def test_numbers_that_make_no_sense():
    with pytest.raises(ArchwrightError, match="evaluations >= 1"):
        Rising(evaluations=0)


def test_it_keeps_its_promises():
    check_strategy(Rising(evaluations=30, carried=3))
    check_strategy(Rising(aw.strategies.RegularizedEvolution(population=8, sample=4), evaluations=30, enough=5))


def test_what_is_carried_is_enough_for_the_sampler():
    of = aw.strategies.RegularizedEvolution(population=8, sample=4)
    history = run(Rising(of, lowest=1 / 3, evaluations=40, carried=6), 60, space=edges(4, 40)).history
    born = [e for e in history if e.trial.fidelity == 1.0 and e.trial.parent is not None]
    assert len(born) == 20
    assert {history[e.trial.parent].trial.fidelity for e in born[6:]} == {1.0}
    assert Rising(carried=6)._enough(edges(4, 40)) == 6
    assert Rising(carried=6)._enough(edges(4, 2)) == 2 + 3
    assert Rising(carried=0)._enough(edges(4, 40)) == 40 + 3  # and not the first that comes
