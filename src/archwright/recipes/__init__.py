"""Published systems, one short file each: a space, a strategy and an estimator with the paper's numbers.

    for evaluation in archwright.recipes.amoebanet(task, scale=0.01).search(seed=1):
        ...

`scale` shrinks a system to the machine at hand. The files are called after authors and year, as citations are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.recipes.baker_2017 import metaqnn
    from archwright.recipes.bergstra_2013 import tpe
    from archwright.recipes.elsken_2019 import lemonade
    from archwright.recipes.kandasamy_2018 import nasbot
    from archwright.recipes.li_2019 import random_search
    from archwright.recipes.liu_2018a import pnas
    from archwright.recipes.liu_2018b import hierarchical
    from archwright.recipes.mendoza_2016 import auto_net
    from archwright.recipes.real_2017 import large_scale_evolution
    from archwright.recipes.real_2019 import amoebanet
    from archwright.recipes.recipe import Paper, Recipe, recipe
    from archwright.recipes.ru_2021 import nas_bowl
    from archwright.recipes.suganuma_2017 import cgp_cnn
    from archwright.recipes.white_2021 import bananas
    from archwright.recipes.wistuba_2018 import uct
    from archwright.recipes.xie_2017 import genetic_cnn
    from archwright.recipes.zoph_2017 import zoph_le
    from archwright.recipes.zoph_2018 import nasnet

__all__ = [
    "Paper",
    "Recipe",
    "amoebanet",
    "auto_net",
    "bananas",
    "cgp_cnn",
    "genetic_cnn",
    "hierarchical",
    "large_scale_evolution",
    "lemonade",
    "metaqnn",
    "nas_bowl",
    "nasbot",
    "nasnet",
    "pnas",
    "random_search",
    "recipe",
    "tpe",
    "uct",
    "zoph_le",
]

RECIPES = {
    "amoebanet": "real_2019",
    "auto_net": "mendoza_2016",
    "bananas": "white_2021",
    "cgp_cnn": "suganuma_2017",
    "genetic_cnn": "xie_2017",
    "hierarchical": "liu_2018b",
    "large_scale_evolution": "real_2017",
    "lemonade": "elsken_2019",
    "metaqnn": "baker_2017",
    "nas_bowl": "ru_2021",
    "nasbot": "kandasamy_2018",
    "nasnet": "zoph_2018",
    "pnas": "liu_2018a",
    "random_search": "li_2019",
    "tpe": "bergstra_2013",
    "uct": "wistuba_2018",
    "zoph_le": "zoph_2017",
}
"""Each recipe's function and its module."""

__getattr__ = lazy(
    __name__,
    {f"archwright.recipes.{module}": [name] for name, module in RECIPES.items()}
    | {"archwright.recipes.recipe": ["Paper", "Recipe", "recipe"]},
)
