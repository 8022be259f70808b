"""What a user imports: the explicit list, and how little it loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import archwright as aw

PACKAGE = Path(aw.__file__).parent


def test_every_public_name_exists_and_the_list_is_sorted_and_whole():
    assert list(aw.__all__) == sorted(aw.__all__)
    for name in aw.__all__:
        assert getattr(aw, name) is not None
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("archwright")
        for alias in node.names
    } - {"lazy"}
    assert imported == set(aw.__all__)


@pytest.mark.parametrize(
    "package",
    [
        "benchmarks",
        "curves",
        "estimators",
        "export",
        "predictors",
        "recipes",
        "reports",
        "spaces",
        "strategies",
        "tasks",
    ],
)
def test_lazy_packages_have_what_they_list(package):
    module = getattr(aw, package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        _ = module.no_such_name


def test_a_misspelt_name_lists_the_near_ones():
    with pytest.raises(AttributeError, match="nasbench201"):
        _ = aw.spaces.nasbench20


@pytest.mark.parametrize("heavy", ["torch", "sklearn", "matplotlib", "onnx", "pydantic", "typer", "PIL"])
def test_the_import_is_light(heavy):
    program = f"import sys, archwright; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
