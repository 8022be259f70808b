import numpy as np
import pytest
import sympy

from archwright.curves.families import FAMILIES

PAPER = {  # the families of Domhan et al. (2015), typed for an algebra system
    "vapor_pressure": "exp(a + b/x + c*log(x))",
    "ilog2": "c - a/log(x + 1)",
    "weibull": "alpha - (alpha - beta)*exp(-(kappa*x)**delta)",
    "pow3": "c - a*x**(-alpha)",
    "pow4": "c - (a*x + b)**(-alpha)",
    "log_log_linear": "log(a*log(x) + b)",
    "mmf": "alpha - (alpha - beta)/(1 + (kappa*x)**delta)",
    "janoschek": "alpha - (alpha - beta)*exp(-kappa*x**delta)",
    "hill3": "theta*x**eta/(kappa**eta + x**eta)",
    "log_power": "a/(1 + (x/exp(b))**c)",
    "exp4": "c - exp(-a*x**alpha + b)",
}
EPOCHS = np.arange(1.0, 41.0)


def test_there_are_eleven():
    assert set(FAMILIES) == set(PAPER)


@pytest.mark.parametrize("name", PAPER)
def test_a_family_is_the_papers_formula(name):
    family = FAMILIES[name]
    names = {letter: sympy.Symbol(letter, positive=True) for letter in ("x", *family.parameters)}
    formula = sympy.sympify(PAPER[name], locals=names)
    for epoch in (1, 7, 300):
        values = {names[letter]: value for letter, value in zip(family.parameters, family.start, strict=True)}
        expected = float(formula.subs({**values, names["x"]: epoch}).evalf())
        assert family.curve(np.array([float(epoch)]), *family.start)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", PAPER)
def test_a_fit_starts_from_a_learning_curve_within_the_bounds(name):
    family = FAMILIES[name]
    curve = family.curve(EPOCHS, *family.start)
    assert (np.diff(curve) > 0).all()
    assert 0.05 < curve[0] < 0.45
    assert 0.5 < curve[-1] < 0.9
    assert all(low < start < high for low, start, high in zip(family.low, family.start, family.high, strict=True))


@pytest.mark.parametrize("name", PAPER)
def test_parameters_broadcast_over_rows(name):
    family = FAMILIES[name]
    rows = np.array(family.start) * np.array([[1.0], [1.05], [0.9]])
    together = family.curve(EPOCHS, *rows.T[:, :, None])
    np.testing.assert_allclose(together, [family.curve(EPOCHS, *row) for row in rows], rtol=1e-13)


@pytest.mark.parametrize("name", PAPER)
def test_a_fit_finds_the_curve_that_scores_lie_on(name):
    family = FAMILIES[name]
    truth = np.array(family.start) * np.linspace(1.1, 0.9, len(family.start))
    scores = family.curve(EPOCHS, *truth)
    found = family.fit(EPOCHS, scores, np.ones_like(EPOCHS))
    np.testing.assert_allclose(family.curve(EPOCHS, *found), scores, atol=2e-3)
    if name in ("ilog2", "log_log_linear", "pow3", "hill3", "log_power", "vapor_pressure"):  # others trade off
        np.testing.assert_allclose(found, truth, rtol=1e-2)


def test_weights_say_which_scores_count():
    family = FAMILIES["ilog2"]  # linear in its parameters: weighted least squares has a closed form
    rng = np.random.default_rng(0)
    scores, weights = rng.random(40), rng.random(40)
    design = np.column_stack([np.ones(40), -1 / np.log(EPOCHS + 1)])
    normal = design.T @ (weights[:, None] * design)
    np.testing.assert_allclose(
        family.fit(EPOCHS, scores, weights), np.linalg.solve(normal, design.T @ (weights * scores)), rtol=1e-5
    )
