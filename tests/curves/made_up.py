"""Learning curves made up for tests."""

import numpy as np

from archwright.curves import Known


def population(count, seed, epochs=20, unit=1.0):
    """Curves whose end depends on their rate and on a number, beside noise of 0.01."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rate, number = rng.uniform(2, 8), rng.uniform(1, 3)
        curve = 0.5 + 0.1 * number + 0.04 * rate - 0.5 * np.exp(-np.arange(epochs) / rate)
        found.append(Known(tuple(unit * (curve + 0.01 * rng.standard_normal(epochs))), None, (number,)))
    return found
