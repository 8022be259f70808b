from itertools import pairwise

from archwright.core.history import History
from archwright.strategies.models.refit import Refits, refit_length


def test_every_length_up_to_ten_then_a_fifth_more():
    lengths = [refit_length(length) for length in range(1, 1001)]
    assert lengths[:10] == list(range(1, 11))
    kept = sorted(set(lengths))
    assert all(length <= number for number, length in enumerate(lengths, 1))
    assert all(refit_length(length) == length for length in kept)
    assert all(after - before <= max(1, 0.2 * before) for before, after in pairwise(kept))
    assert len(kept) == 36


def test_kept_for_one_history_and_space():
    refits, made = Refits(), []
    history, other, space = History("min:loss"), History("min:loss"), object()

    def make():
        made.append(1)
        return len(made)

    assert [refits(space, history, 5, make), refits(space, history, 5, make), refits(space, history, 6, make)] == [
        1,
        1,
        2,
    ]
    assert refits(space, other, 5, make) == 3
    assert refits(object(), other, 5, make) == 4
