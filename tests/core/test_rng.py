import subprocess
import sys

import numpy as np

from archwright.core.rng import Streams, seed_for


def test_a_stream_is_the_same_whatever_was_drawn_before():
    streams = Streams(7)
    wanted = streams[3].random(5)
    streams[3].integers(100)
    streams[9].random(1000)
    assert (streams[3].random(5) == wanted).all()
    assert (Streams(7)[3].random(5) == wanted).all()


def test_streams_differ_by_number_and_seed():
    drawn = {tuple(Streams(seed)[number].random(2)) for seed in range(20) for number in range(50)}
    assert len(drawn) == 1000


def test_neighbouring_streams_are_uncorrelated():
    streams = Streams(0)
    first = np.array([streams[number].random() for number in range(4000)])
    assert abs(first.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.05


def test_seed_for_is_the_same_in_another_process():
    program = "from archwright.core.rng import seed_for; print(seed_for('a', 1, 2.5))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == seed_for("a", 1, 2.5)
