import gzip
import math
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe, kebab, rebuildable, remake
from archwright.core.rng import Streams, seed_for
from archwright.estimators import ZeroCost
from archwright.estimators.proxies import PROXIES, Snip, Vote, Zen
from archwright.estimators.zero_cost import ALL
from archwright.search import BadObjective
from archwright.spaces.nas_bench_201 import from_string
from archwright.spaces.space import Space
from archwright.tasks.task import Split, Splits, Task
from archwright.testing import check_estimator


@pytest.fixture(scope="module")
def task():
    made = aw.tasks.digits()
    _ = made.splits  # importing scikit-learn's data sets draws from Python's global randomness
    return made


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


@pytest.fixture(scope="module")
def architecture(space):
    return from_string("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|")


DEAD = from_string("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def test_it_keeps_the_contract_with_all_proxies(task):
    check_estimator(
        ZeroCost(task, (*PROXIES, Vote(population=2)), batch=16, device="cpu"),
        aw.spaces.nasbench201(cells=1, channels=4),
        architectures=2,
    )


def test_metrics_are_the_proxies_and_the_costs(task, space, architecture):
    estimator = ZeroCost(task, (*ALL[:-1], Vote(population=3)), costs=(aw.Parameters(), aw.Latency(repetitions=2)))
    answer = estimator.estimate(space, aw.Trial(architecture))
    assert set(answer.metrics) == estimator.metrics == {*ALL, "parameters", "latency_ms"}
    assert answer.cost > 0
    assert answer.curve == ()
    network = space.build(architecture, task.signature)
    assert answer.metrics["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert estimator.preflight(space, aw.Trial(architecture)) == {"parameters": answer.metrics["parameters"]}


def test_a_proxy_sees_the_network_and_the_examples_that_the_seed_draws(task, space, architecture):
    """snip, from the library's parts put together by hand."""
    answer = ZeroCost(task, ("snip",), batch=32, batches=3, device="cpu").estimate(
        space, aw.Trial(architecture, seed=5)
    )
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed_for(5, "weights"))
        network = space.build(architecture, task.signature).train()
    order = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(seed_for(5, "proxies")))[:32]
    outputs = network(task.prepare(task.train.inputs[order]))
    torch.nn.functional.cross_entropy(outputs, task.train.targets[order]).backward()
    weights = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    expected = sum(float((weight.detach() * weight.grad).abs().sum()) for weight in weights if weight.grad is not None)
    assert answer.metrics["snip"] == pytest.approx(expected, rel=1e-5)


def test_seeds_differ_and_batches_differ(task, space, architecture):
    estimator = ZeroCost(task, ("snip", "synflow"), device="cpu")
    first, second, again = (estimator.estimate(space, aw.Trial(architecture, seed=seed)).metrics for seed in (0, 1, 0))
    assert first == again
    assert all(first[metric] != second[metric] for metric in ("snip", "synflow"))
    one, other = estimator._batches(0, torch.device("cpu"))
    assert not torch.equal(one.inputs, other.inputs)


def test_no_split_but_the_training_split_is_touched(space, architecture):
    whole = aw.tasks.digits().splits

    class Untouched(Split):
        def __getattribute__(self, name):
            raise AssertionError("a proxy looked at another split")

    empty = Untouched.__new__(Untouched)
    task = Task("digits", lambda: Splits(whole.train, empty, empty, whole.classes))
    assert ZeroCost(task, ALL[:-1]).estimate(space, aw.Trial(architecture)).metrics["snip"] > 0


def test_what_one_proxy_lacks_leaves_the_others(task):
    class Smooth(nn.Sequential):
        def __init__(self, signature, width):
            super().__init__(nn.Flatten(), nn.Linear(64, width), nn.Tanh(), nn.Linear(width, signature.outputs))

    space = Space(Smooth, width=aw.Choice(4, 8))
    trial = aw.Trial(aw.spaces.sample(space, Streams(0)[0]))
    estimator = ZeroCost(task, ("naswot", "snip"), costs=())
    assert set(estimator.estimate(space, trial).metrics) == {"snip"}
    scores, reasons = estimator.measure(space, trial)
    assert set(scores) == {"snip"}
    assert reasons == {"naswot": "naswot looks at rectifiers (ReLU and its kin), and the network has none"}
    with pytest.raises(ArchwrightError, match="naswot: naswot looks at rectifiers"):
        ZeroCost(task, ("naswot",)).estimate(space, trial)
    wanted = next(iter(aw.search(space, aw.strategies.Random(), estimator, objectives="max:naswot")))
    assert wanted.failure == "naswot was not measured"


def test_of_a_dead_network_what_is_no_number_is_left_out(task, space):
    scores, reasons = ZeroCost(task, ALL[:-1]).measure(space, aw.Trial(DEAD))
    assert {"jacob_cov", "naswot", "zen"} <= set(reasons)
    assert scores["synflow"] == 0.0
    assert all(math.isfinite(score) for score in scores.values())


def test_a_vote_is_the_share_of_the_population_that_loses(task, space):
    vote = Vote(population=8, seed=2)
    trial = aw.Trial(from_string("|none~0|+|skip_connect~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"), seed=4)
    answer = ZeroCost(task, (vote,), costs=()).estimate(space, trial)
    plain = ZeroCost(task, vote.of, costs=())
    own = plain.estimate(space, trial).metrics
    streams = Streams(seed_for("vote", 2))
    others = [plain.measure(space, aw.Trial(aw.spaces.sample(space, streams[n]), seed=2))[0] for n in range(8)]
    won = [sum(own[name] > other.get(name, -math.inf) for name in vote.of) >= 2 for other in others]
    assert answer.metrics == {"vote": np.mean(won)}
    assert 0 < answer.metrics["vote"] < 1


def test_settings_of_a_proxy_of_its_own(task, space, architecture):
    one, more = (
        ZeroCost(task, (proxy,), costs=()).estimate(space, aw.Trial(architecture)).metrics["zen"]
        for proxy in ("zen", Zen(repeats=3))
    )
    assert one != more
    assert one == pytest.approx(more, rel=0.5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"proxies": ("sinflow",)}, "did you mean synflow"),
        ({"proxies": (Vote(of=("snap",)),)}, "did you mean snip"),
        ({"proxies": ()}, "needs proxies"),
        ({"proxies": "synflow"}, r"a list of names, such as \['synflow'\]"),
        ({"batch": 1}, "2 examples"),
        ({"proxies": ("zico",), "batches": 1}, "zico needs 2 batches"),
    ],
)
def test_bad_settings(task, settings, says):
    with pytest.raises(ArchwrightError, match=says):
        ZeroCost(task, **settings)


def test_too_few_examples(space, architecture):
    whole = aw.tasks.digits().splits
    few = Split(whole.train.inputs[:5], whole.train.targets[:5])
    task = Task("few", lambda: replace(whole, train=few))
    with pytest.raises(ArchwrightError, match="5 training examples are too few for 3 batches"):
        ZeroCost(task, batches=3).estimate(space, aw.Trial(architecture))


def test_a_wanted_metric_that_is_no_proxy_of_it_is_refused(task, space):
    with pytest.raises(BadObjective, match="snip"):
        aw.search(space, aw.strategies.Random(), ZeroCost(task, ("synflow",)), objectives="max:snip")


def test_it_is_described_and_made_again(task):
    estimator = ZeroCost(task, ("synflow", Snip(), Zen(repeats=2), Vote(population=4)))
    description = describe(estimator)
    assert rebuildable(description)
    made = (*PROXIES.values(), Vote, ZeroCost, aw.Parameters, aw.Flops)
    known = {kebab(part.__name__): part for part in made} | {"digits": aw.tasks.digits}
    again = remake(description, known)
    assert again == replace(estimator, task=again.task)


def test_it_travels_without_what_it_drew(task, space, architecture):
    estimator = ZeroCost(task, ("synflow", Vote(population=2)), batch=8)
    estimator.estimate(space, aw.Trial(architecture))
    assert len(cloudpickle.dumps(estimator)) < 10_000


OTHERS = {
    "vectors": (lambda: aw.spaces.autonet(max_layers=2, units=(8, 16), max_dropout=0.0), "regression"),
    "transformer": (lambda: aw.spaces.elastic_transformer(widths=(16,), depth=(1, 2)), "images"),
    "text": (lambda: aw.spaces.darts_rnn(hidden=8, embedding=6), "text"),
    "mobile": (lambda: aw.spaces.elastic_mobile(widths=(4, 6), strides=(2, 2), depth=(1, 2)), "images"),
    "enas": (lambda: aw.spaces.enas_micro(cells=1, channels=4), "images"),
}

LACKS = {"vectors": {"naswot"}, "transformer": {"naswot"}, "text": {"naswot"}}  # not all of them have rectifiers


def small_task(kind, folder):
    if kind == "text":
        (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog, " * 20)
        return aw.tasks.text_file(folder / "text.txt", length=6)

    def split(size, rng):
        if kind == "regression":
            return Split(torch.randn(size, 5, generator=rng), torch.randn(size, 2, generator=rng))
        return Split(torch.randn(size, 1, 8, 8, generator=rng), torch.randint(10, (size,), generator=rng))

    def load():
        rng = torch.Generator().manual_seed(0)
        classes = () if kind == "regression" else tuple("0123456789")
        return Splits(split(40, rng), split(4, rng), split(4, rng), classes)

    return Task(kind, load)


@pytest.mark.parametrize("name", OTHERS)
def test_any_space_and_any_task(name, tmp_path):
    """What is left out there has a reason that names what is lacking."""
    make, kind = OTHERS[name]
    space, task = make(), small_task(kind, tmp_path)
    estimator = ZeroCost(task, ALL[:-1], batch=12, batches=2)
    for number in range(3):
        scores, reasons = estimator.measure(space, aw.Trial(aw.spaces.sample(space, Streams(1)[number])))
        assert set(reasons) <= LACKS.get(name, set()), reasons
        assert set(scores) == set(PROXIES) - set(reasons)


AGREE = {  # least rank correlation, and furthest ratio of the two scores from 1
    "synflow": (0.99, 0.02),
    "zen": (0.98, 0.15),
    "l2_norm": (0.85, 0.02),  # which differs little between architectures of one size
    "naswot": (0.9, 0.1),
    "jacob_cov": (0.75, math.inf),
    "snip": (0.9, math.inf),
    "grad_norm": (0.9, math.inf),
    "fisher": (0.7, math.inf),
    "parameters": (0.99, math.inf),
    "flops": (0.98, math.inf),
}
THEIRS = {"naswot": "nwot", "jacob_cov": "jacov", "parameters": "params"}


@pytest.mark.slow
def test_scores_agree_with_those_that_nas_bench_suite_zero_stores(bench_data):
    """Theirs are of CIFAR-10's images, ours of noise in their shape: what data matters less to has to agree."""
    with gzip.open(bench_data / "nasbench201_zero_cost_cifar10.csv.gz", "rt") as file:
        stored = np.genfromtxt(file, delimiter=",", names=True)
    with gzip.open(bench_data / "nasbench201.csv.gz", "rt") as file:
        strings = [line.split(",", 2)[1] for line in file][1:]
    live = stored[stored["zen"] > -1e7]
    rows = live[np.random.default_rng(0).permutation(len(live))[:60]]

    def load():
        rng = torch.Generator().manual_seed(0)
        split = Split(torch.randn(128, 3, 32, 32, generator=rng), torch.randint(10, (128,), generator=rng))
        return Splits(split, split, split, tuple("0123456789"))

    space = aw.spaces.nasbench201()
    estimator = ZeroCost(Task("noise", load), tuple(metric for metric in AGREE if metric in PROXIES))
    trials = [aw.Trial(from_string(strings[int(row["index"])])) for row in rows]
    answers = [estimator.estimate(space, trial).metrics for trial in trials]
    for metric, (least, furthest) in AGREE.items():
        ours, theirs = np.array([answer[metric] for answer in answers]), rows[THEIRS.get(metric, metric)]
        assert spearmanr(ours, theirs).statistic > least, metric
        assert np.abs(ours / theirs - 1).max() < furthest, metric
