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
