import pickle

import numpy as np

import archwright as aw
from archwright.core.rng import Streams
from archwright.predictors import Networks
from archwright.predictors.ensemble import Ensemble
from archwright.spaces.encodings import PathEncoding


def test_it_is_the_ensemble_on_path_encodings():
    space, streams = aw.spaces.nasbench201(), Streams(1)
    drawn = [aw.spaces.sample(space, streams[number]) for number in range(30)]
    known, new, targets = drawn[:20], drawn[20:], np.arange(20.0)
    fitted = Networks(members=3, layers=2, width=8, epochs=5).fit(space, known, targets, seed=4)
    encode = PathEncoding(space, known)
    vectors, asked = (np.array([encode(one) for one in some]) for some in (known, new))
    each = Ensemble(3, 2, 8, epochs=5).fit(vectors, targets, 4).predict(asked)
    mean, std = fitted.predict(new)
    np.testing.assert_array_equal(fitted.each(new), each)
    np.testing.assert_allclose(mean, each.mean(axis=0))
    np.testing.assert_allclose(std, np.sqrt(((each - each.mean(axis=0)) ** 2).sum(axis=0) / 2))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(new), fitted.predict(new))
    assert [part.shape for part in fitted.predict([])] == [(0,), (0,)]
