import copy
import pickle

import pytest

from archwright.core.architecture import Architecture, BadArchitecture


def test_json_goes_both_ways_and_keeps_the_order():
    architecture = Architecture((("b", 1), ("a", 0.5)))
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert hash(Architecture.from_json({"b": 1, "a": 0.5})) == hash(architecture)


def test_a_misspelt_decision_names_the_near_one():
    with pytest.raises(BadArchitecture, match="did you mean width"):
        Architecture((("width", 1),))["widht"]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "x"}', '{"a": true}', '{"a": null}'])
def test_texts_that_are_no_architecture(text):
    with pytest.raises(BadArchitecture):
        Architecture.from_json(text)


def test_to_read_all_decisions_takes_as_many_comparisons():
    compared = []

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            compared.append(1)
            return str.__eq__(self, other)

    architecture = Architecture(tuple((Name(number), number) for number in range(300)))
    assert [architecture[str(number)] for number in range(300)] == list(range(300))
    assert len(compared) < 3000  # 45,000, if each is looked for from the beginning


def test_to_have_been_read_changes_nothing():
    architecture, other = (Architecture((("a", 1), ("b", 2))) for _ in range(2))
    before = pickle.dumps(architecture)
    assert architecture["b"] == 2
    assert (architecture, hash(architecture), repr(architecture)) == (other, hash(other), repr(other))
    assert pickle.dumps(architecture) == before
    for twin in (pickle.loads(before), copy.deepcopy(architecture)):
        assert twin == architecture
        assert twin["a"] == 1
