"""What takes minutes: `make test-all`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def test_the_embedded_default_finds_a_network_of_98_percent(tmp_path):
    """`make search`, without the installation."""
    command = [sys.executable, "-m", "archwright", "search", "--out", tmp_path / "run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout)
    assert outcome["test"]["test_accuracy"] >= 0.98
    for file in outcome["files"].values():
        assert Path(file).stat().st_size > 0
    script = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    exported = subprocess.run(
        [sys.executable, "-I", "-c", script, outcome["files"]["source"]], capture_output=True, text=True, check=True
    )
    assert "10" in exported.stdout


def test_fifty_kills_lose_nothing():
    command = [sys.executable, ROOT / "benchmarks" / "kill_and_resume.py", "--kills", "50"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("50 kills") == 2


@pytest.mark.parametrize("script", ["loop_overhead.py", "training_throughput.py"])
def test_benchmarks_run(script):
    command = [sys.executable, ROOT / "benchmarks" / script, "--rounds", "1"]
    subprocess.run(command, capture_output=True, check=True)
