"""What the command line does when it is not told: the one place to look and to change."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "task": {"name": "digits"},
    "space": {"name": "nasbench201", "cells": 1},  # small networks: a fifth of the benchmark's depth
    "strategy": {"name": "regularized-evolution", "population": 10, "sample": 3},  # as in Dong and Yang, 2020
    "estimator": {"name": "training", "epochs": 3},
    "seed": 0,
    "workers": 1,
    "device": "auto",
}
"""The lowest layer of the settings. Without objectives, the task's score on the validation split is the objective."""

TASK_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": {  # search and final training in under 5 minutes on two cores
        "strategy": {"name": "regularized-evolution", "population": 8, "sample": 3},
        "estimator": {"name": "training", "epochs": 6},
        "evaluations": 20,
        "train_epochs": 40,
    },
    "shakespeare": {"space": {"name": "darts-rnn"}},
    "text-file": {"space": {"name": "darts-rnn"}},
    "csv-file": {"space": {"name": "autonet"}},
}
"""Over `DEFAULTS` for that task. A part's fields count only where the part is not chosen otherwise, a budget only
where none is given."""

FILES = {
    ".npz": ("arrays", "inputs"),
    ".txt": ("text-file", "path"),
    ".csv": ("csv-file", "path"),
    ".tsv": ("csv-file", "path"),
}
"""What a file given as the task is by its ending: the task that reads it, and the field that says where it lies."""

PARTS = ("task", "space", "strategy", "estimator")
BUDGETS = ("evaluations", "epochs", "minutes")
