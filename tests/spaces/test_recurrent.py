"""Against the cells' formulas written out: a step, a node, an edge and a candidate at a time."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces import sample
from archwright.supernets import OpenNetwork

SIGNATURE = aw.Signature((6,), 11, vocabulary=11, positions=(6,))
SPACES = {"darts": aw.spaces.darts_rnn, "enas": aw.spaces.enas_rnn}
NAMES = ("tanh", "relu", "sigmoid", "identity")
APPLY = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda x: x}
TOKENS = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(0))


def opened(space, seed=0):
    torch.manual_seed(seed)
    return OpenNetwork(space, SIGNATURE).double()


def highway(state, product, names):
    """Of each activation: state + sigmoid(c) * (f(h) - state)."""
    c, h = product.split(state.shape[1], dim=1)
    return {name: state + torch.sigmoid(c) * (APPLY[name](h) - state) for name in names}


def normalised(mixture):
    """Each example's numbers with mean 0 and variance 1."""
    return (mixture - mixture.mean(1, True)) / (mixture.var(1, correction=0, keepdim=True) + 1e-5).sqrt()


def plain(network, first, edges, shares):
    """The network's logits, with weights `first` by activation, `edges[node][source][activation]`, and `shares` of the
    states in the mean."""
    embedded = network.embedding.weight[TOKENS]
    output, outputs = torch.zeros(len(TOKENS), network.hidden, dtype=torch.float64), []
    for step in range(TOKENS.shape[1]):
        product = embedded[:, step] @ network.input.weight.T
        product = product + output @ next(iter(network.first.weights.values()))
        made = highway(output, product, first)
        total = sum(weight * made[name] for name, weight in first.items())
        states = [normalised(total) if len(first) > 1 else total]
        for node, sources in zip(network.nodes, edges, strict=True):
            total = torch.zeros_like(output)
            for source, weights in sources.items():
                matrix = node.weights["all" if "all" in node.weights else str(source)]
                made = highway(states[source], states[source] @ matrix, weights)
                total = total + sum(weight * made[name] for name, weight in weights.items())
            states.append(normalised(total) if len(sources) > 1 or len(weights) > 1 else total)
        output = sum(share * states[state] for state, share in shares.items())
        outputs.append(network.project(output) @ network.embedding.weight.T + network.bias)
    return torch.stack(outputs, dim=2)


def rows(network, seed=1):
    """Random logits over each choice's candidates, and the weights that they make."""
    torch.manual_seed(seed)
    logits = {
        name: torch.randn(len(choice.options) + choice.optional, dtype=torch.float64, requires_grad=True)
        for name, choice in network.choices.items()
        if not choice.is_subset
    }
    return list(logits.values()), {name: torch.softmax(row, 0) for name, row in logits.items()}


def check_equal(left, right, given):
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)
    direction = torch.randn(left.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    gradients = [
        torch.autograd.grad((side * direction).sum(), given, allow_unused=True, retain_graph=True)
        for side in (left, right)
    ]
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_a_mixture_of_darts_cells_is_the_sum_of_all_candidates():
    network = opened(aw.spaces.darts_rnn(nodes=4, hidden=5, embedding=5))
    logits, given = rows(network)
    network.mix(given)
    edges = [
        {
            source: dict(zip(NAMES, given[f"nodes[{node}][{source}].activation"][:4], strict=True))
            for source in range(node + 1)
        }
        for node in range(4)
    ]
    wanted = plain(network.network, {"tanh": 1.0}, edges, dict.fromkeys(range(1, 5), 1 / 4))
    check_equal(network(TOKENS), wanted, [*logits, *network.parameters()])


def test_a_mixture_of_enas_cells_is_the_sum_of_all_candidates():
    network = opened(aw.spaces.enas_rnn(nodes=4, hidden=5, embedding=5))
    logits, given = rows(network)
    network.mix(given)
    first = dict(zip(NAMES, given["first"], strict=True))
    edges = [
        {
            source: {
                name: share * weight for name, weight in zip(NAMES, given[f"nodes[{node}].activation"], strict=True)
            }
            for source, share in enumerate(given[f"nodes[{node}].source"])
        }
        for node in range(3)
    ]
    # The share of a state in the mean: how probable it is that none of the later nodes reads it.
    unread = [
        math.prod(1 - given[f"nodes[{node}].source"][state] for node in range(3) if state <= node) for state in range(4)
    ]
    total = sum(unread)
    shares = {state: weight / total for state, weight in enumerate(unread)}
    wanted = plain(network.network, first, edges, shares)
    check_equal(network(TOKENS), wanted, [*logits, *network.parameters()])


def test_a_sample_is_the_sum_of_what_was_drawn():
    """As hard samples mix: an activation of weight 1 for each source, or none."""
    network = opened(aw.spaces.darts_rnn(nodes=4, hidden=5, embedding=5))
    weights = torch.ones(10, dtype=torch.float64, requires_grad=True)
    drawn, edges, number = {}, [], 0
    for node in range(4):
        edges.append({})
        for source in range(node + 1):
            option = (node + 2 * source) % 5  # 4 is none
            drawn[f"nodes[{node}][{source}].activation"] = {option: weights[number]}
            if option < 4:
                edges[-1][source] = {NAMES[option]: weights[number]}
            number += 1
    network.mix(drawn)
    wanted = plain(network.network, {"tanh": 1.0}, edges, dict.fromkeys(range(1, 5), 1 / 4))
    check_equal(network(TOKENS), wanted, [weights, *network.parameters()])


def decided(space, architecture):
    """The same as arguments of `plain`."""
    arguments = space.resolve(architecture)
    items = [node[0] if isinstance(node, tuple) else node for node in arguments["nodes"]]
    edges = [{item["source"]: {item["activation"]: 1.0}} for item in items]
    if space.factory.one_each:
        averaged = [state for state in range(len(items) + 1) if not any(state in sources for sources in edges)]
    else:
        averaged = list(range(1, len(items) + 1))
    return {arguments["first"]: 1.0}, edges, dict.fromkeys(averaged, 1 / len(averaged))


@pytest.mark.parametrize("name", SPACES)
def test_an_architecture_computes_its_papers_formula(name):
    space = SPACES[name](hidden=5, embedding=4)
    for number in range(5):
        architecture = sample(space, Streams(5)[number])
        torch.manual_seed(number)
        network = space.build(architecture, SIGNATURE).double()
        torch.nn.init.normal_(network.bias)
        torch.testing.assert_close(network(TOKENS), plain(network, *decided(space, architecture)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SPACES)
def test_restricted_to_an_architecture_the_open_network_is_its_standalone_one(name):
    space = SPACES[name](hidden=4, embedding=3)
    network = opened(space)
    for number in range(50):
        architecture = sample(space, Streams(7)[number])
        alone = network.standalone(architecture)
        network.decide(architecture)
        left, right = network(TOKENS), alone(TOKENS)
        torch.testing.assert_close(left, right, rtol=0, atol=1e-10)
        network.zero_grad()
        left.square().sum().backward()
        right.square().sum().backward()
        gradients = {name: parameter.grad for name, parameter in network.network.named_parameters()}
        for name_, parameter in alone.named_parameters():
            torch.testing.assert_close(gradients.pop(name_), parameter.grad, rtol=0, atol=1e-10)
        assert not any(gradient is not None and gradient.any() for gradient in gradients.values())


def test_sizes():
    assert aw.spaces.size(aw.spaces.darts_rnn()) == math.factorial(8) * 4**8
    assert aw.spaces.size(aw.spaces.enas_rnn()) == math.factorial(11) * 4**12


def architecture_of(space, first, *nodes):
    decisions = {"first": first}
    for number, (source, activation) in enumerate(nodes):
        decisions |= {f"nodes[{number}].source": source, f"nodes[{number}].activation": activation}
    return aw.spaces.trace(space, lambda name, _: decisions[name])


def test_keys_are_those_of_the_graph():
    """Nodes in another order are the same cell; other loose ends are another."""
    space = aw.spaces.enas_rnn(nodes=4)
    one = architecture_of(space, 0, (0, 1), (0, 2), (1, 3))
    other = architecture_of(space, 0, (0, 2), (0, 1), (2, 3))
    different = architecture_of(space, 0, (0, 1), (0, 2), (2, 3))
    assert space.key(one) == space.key(other) != space.key(different)
    cells = aw.spaces.darts_rnn(nodes=2)
    found = [sample(cells, Streams(0)[number]) for number in range(300)]
    words = {cells.key(a): {tuple(sorted(sources_and_names(cells, a)))} for a in found}
    assert len(words) == len({tuple(sorted(sources_and_names(cells, a))) for a in found})


def sources_and_names(space, architecture):
    """Of a cell of two nodes, which is known by these: what each reads, and its activation."""
    (first,), (second,) = space.resolve(architecture)["nodes"]
    above = first["activation"] if second["source"] else ""
    return [(first["activation"], ""), (second["activation"], above)]


def test_dropout_has_one_mask_for_the_whole_text():
    space = aw.spaces.darts_rnn(nodes=2, hidden=8, embedding=8, dropout=0.5, hidden_dropout=0.5)
    network = space.build(sample(space, Streams(0)[0]), SIGNATURE)
    seen = []
    network.input.register_forward_pre_hook(lambda _, given: seen.append(given[0] == 0))
    torch.manual_seed(0)
    outputs = network(TOKENS)
    (dropped,) = seen
    assert dropped.any()
    assert not dropped.all()
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(outputs, network(TOKENS))
    assert torch.equal(network.eval()(TOKENS), network(TOKENS))


def test_a_cell_is_causal():
    """No answer depends on later tokens."""
    network = opened(aw.spaces.enas_rnn(nodes=3, hidden=4, embedding=4))
    later = TOKENS.clone()
    later[:, 4:] = (later[:, 4:] + 1) % 11
    assert torch.equal(network(TOKENS)[:, :, :4], network(later)[:, :, :4])
    assert not torch.equal(network(TOKENS)[:, :, 4], network(later)[:, :, 4])


def test_images_are_no_texts():
    space = aw.spaces.darts_rnn()
    with pytest.raises(aw.ArchwrightError, match=r"builds networks for texts.*\(1, 8, 8\)"):
        space.build(sample(space, Streams(0)[0]), aw.Signature((1, 8, 8), 10))


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("the cat sat on the mat, the rat sat on the cat.\n" * 30, encoding="utf-8")
    return aw.tasks.text_file(path, length=8)


SMALL = {"hidden": 12, "embedding": 12}


def sharing(task, epochs):
    shared = replace(task.hyperparameters, batch_size=8)  # so that an epoch has some steps
    return aw.estimators.WeightSharing(task, epochs=epochs, shared=shared)


@pytest.mark.parametrize("name", SPACES)
def test_gradients_search_on_a_text(name, task):
    estimator = sharing(task, 3)
    space = SPACES[name](nodes=3, **SMALL)
    run = aw.search(space, aw.strategies.DARTS(learning_rate=0.01), estimator, objectives="valid_perplexity")
    first, _, last = run
    assert last.failure is None
    assert last.metrics["valid_perplexity"] < min(first.metrics["valid_perplexity"], len(task.classes))
    assert last.metrics["valid_perplexity"] == pytest.approx(math.exp(last.metrics["valid_loss"]))
    assert last.trial.fidelity == 1.0
    assert estimator.metrics >= set(last.metrics)


def test_random_search_with_shared_weights_on_a_text(task):
    estimator = sharing(task, 2)
    space = aw.spaces.darts_rnn(nodes=3, **SMALL)
    run = aw.search(space, aw.strategies.Random(), estimator, objectives="min:valid_loss")
    found = list(itertools.islice(run, 5))
    assert all(evaluation.failure is None for evaluation in found)
    assert sum(evaluation.metrics["epochs"] for evaluation in found) == 2
    assert len({evaluation.metrics["valid_loss"] for evaluation in found}) > 1
    assert run.history.best.evaluation.metrics["valid_loss"] < math.log(len(task.classes))


def test_training_on_a_text(task):
    estimator = aw.estimators.Training(task, epochs=2, hyperparameters=replace(task.hyperparameters, batch_size=8))
    space = aw.spaces.enas_rnn(nodes=3, **SMALL)
    run = aw.search(space, aw.strategies.RegularizedEvolution(2, 2), estimator, objectives="valid_perplexity")
    for evaluation in itertools.islice(run, 3):
        assert evaluation.failure is None
        assert evaluation.metrics["valid_perplexity"] < len(task.classes)
        assert evaluation.metrics["flops"] > 0
