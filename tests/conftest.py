import os
from pathlib import Path

# Before torch is imported, here and in every process that a test starts: on a busy machine, threads that wait for one
# another make small networks slower by a factor of ten.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def bench_data() -> Path:
    """The folder of benchmark tables: $ARCHWRIGHT_BENCH_DATA, else ../shared/data beside the project."""
    folder = Path(os.environ.get("ARCHWRIGHT_BENCH_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "nasbench201.csv.gz").exists():
        pytest.skip(f"no benchmark tables in {folder}: set ARCHWRIGHT_BENCH_DATA")
    return folder
