"""Zero-cost proxies: what a network says of itself before it is trained. One file, one paper."""

from __future__ import annotations

from collections.abc import Mapping

from archwright.estimators.proxies.fisher import Fisher
from archwright.estimators.proxies.grad_norm import GradNorm
from archwright.estimators.proxies.grasp import Grasp
from archwright.estimators.proxies.jacob_cov import JacobCov
from archwright.estimators.proxies.l2_norm import L2Norm
from archwright.estimators.proxies.naswot import NASWOT
from archwright.estimators.proxies.plain import Plain
from archwright.estimators.proxies.probe import Probe
from archwright.estimators.proxies.proxy import Proxy
from archwright.estimators.proxies.snip import Snip
from archwright.estimators.proxies.synflow import Synflow, SynflowBN
from archwright.estimators.proxies.vote import Vote
from archwright.estimators.proxies.zen import Zen
from archwright.estimators.proxies.zico import ZiCo

PROXIES: Mapping[str, type[Proxy]] = {
    proxy.metric: proxy
    for proxy in (Fisher, GradNorm, Grasp, JacobCov, L2Norm, NASWOT, Plain, Snip, Synflow, SynflowBN, Zen, ZiCo)
}
"""By the metric. In this order what is computed for one serves those that come after it: fisher's backward pass gives
the others' gradients too."""

__all__ = [
    "NASWOT",
    "PROXIES",
    "Fisher",
    "GradNorm",
    "Grasp",
    "JacobCov",
    "L2Norm",
    "Plain",
    "Probe",
    "Proxy",
    "Snip",
    "Synflow",
    "SynflowBN",
    "Vote",
    "Zen",
    "ZiCo",
]
