"""Published systems, one short file each: a space, a strategy and an estimator with the paper's numbers.

    for evaluation in archwright.recipes.amoebanet(task, scale=0.01).search(seed=1):
        ...

`scale` shrinks a system to the machine at hand. The files are called after authors and year, as citations are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.recipes.ahmed_2018 import mask_connect
    from archwright.recipes.baker_2017 import metaqnn
    from archwright.recipes.baker_2017b import baker_curves
    from archwright.recipes.bender_2018 import one_shot
    from archwright.recipes.bergstra_2013 import tpe
    from archwright.recipes.brock_2018 import smash
    from archwright.recipes.cai_2018a import eas
    from archwright.recipes.cai_2018b import path_level
    from archwright.recipes.cai_2019 import proxyless_nas
    from archwright.recipes.chen_2021 import dr_nas
    from archwright.recipes.chu_2021 import fairnas
    from archwright.recipes.domhan_2015 import domhan
    from archwright.recipes.dong_2019 import gdas
    from archwright.recipes.elsken_2017 import nash
    from archwright.recipes.elsken_2019 import lemonade
    from archwright.recipes.guo_2020 import spos
    from archwright.recipes.jin_2018 import auto_keras
    from archwright.recipes.kandasamy_2018 import nasbot
    from archwright.recipes.li_2017 import hyperband
    from archwright.recipes.li_2019 import random_search, rsws
    from archwright.recipes.li_2019_asha import asha
    from archwright.recipes.li_2019_recurrent import rsws_rnn
    from archwright.recipes.liu_2018a import pnas
    from archwright.recipes.liu_2018b import hierarchical
    from archwright.recipes.liu_2019b import darts, unrolled_darts
    from archwright.recipes.liu_2019b_recurrent import darts_rnn
    from archwright.recipes.mendoza_2016 import auto_net
    from archwright.recipes.pham_2018 import enas_macro, enas_micro
    from archwright.recipes.pham_2018_recurrent import enas_rnn
    from archwright.recipes.real_2017 import large_scale_evolution
    from archwright.recipes.real_2019 import amoebanet
    from archwright.recipes.recipe import Paper, Recipe, recipe
    from archwright.recipes.ru_2021 import nas_bowl
    from archwright.recipes.saxena_2016 import fabrics
    from archwright.recipes.suganuma_2017 import cgp_cnn
    from archwright.recipes.swersky_2014 import freeze_thaw
    from archwright.recipes.wang_2021 import darts_pt
    from archwright.recipes.white_2021 import bananas
    from archwright.recipes.wistuba_2018 import uct
    from archwright.recipes.xie_2017 import genetic_cnn
    from archwright.recipes.xie_2019 import snas
    from archwright.recipes.xu_2020 import pc_darts
    from archwright.recipes.zela_2018 import bohb
    from archwright.recipes.zela_2020 import robust_darts
    from archwright.recipes.zhang_2019 import ghn
    from archwright.recipes.zoph_2017 import zoph_le
    from archwright.recipes.zoph_2018 import nasnet

__all__ = [
    "Paper",
    "Recipe",
    "amoebanet",
    "asha",
    "auto_keras",
    "auto_net",
    "baker_curves",
    "bananas",
    "bohb",
    "cgp_cnn",
    "darts",
    "darts_pt",
    "darts_rnn",
    "das",
    "domhan",
    "dr_nas",
    "eas",
    "enas_macro",
    "enas_micro",
    "enas_rnn",
    "fabrics",
    "fairnas",
    "freeze_thaw",
    "gdas",
    "genetic_cnn",
    "ghn",
    "hierarchical",
    "hyperband",
    "large_scale_evolution",
    "lemonade",
    "mask_connect",
    "metaqnn",
    "nas_bowl",
    "nasbot",
    "nash",
    "nasnet",
    "one_shot",
    "path_level",
    "pc_darts",
    "pnas",
    "proxyless_nas",
    "random_search",
    "recipe",
    "robust_darts",
    "rsws",
    "rsws_rnn",
    "smash",
    "snas",
    "spos",
    "tpe",
    "uct",
    "unrolled_darts",
    "zoph_le",
]

RECIPES = {
    "amoebanet": "real_2019",
    "asha": "li_2019_asha",
    "auto_keras": "jin_2018",
    "auto_net": "mendoza_2016",
    "baker_curves": "baker_2017b",
    "bananas": "white_2021",
    "bohb": "zela_2018",
    "cgp_cnn": "suganuma_2017",
    "darts": "liu_2019b",
    "darts_pt": "wang_2021",
    "darts_rnn": "liu_2019b_recurrent",
    "domhan": "domhan_2015",
    "das": "shin_2018",
    "dr_nas": "chen_2021",
    "eas": "cai_2018a",
    "enas_macro": "pham_2018",
    "enas_micro": "pham_2018",
    "enas_rnn": "pham_2018_recurrent",
    "fabrics": "saxena_2016",
    "fairnas": "chu_2021",
    "freeze_thaw": "swersky_2014",
    "gdas": "dong_2019",
    "genetic_cnn": "xie_2017",
    "ghn": "zhang_2019",
    "hierarchical": "liu_2018b",
    "hyperband": "li_2017",
    "large_scale_evolution": "real_2017",
    "lemonade": "elsken_2019",
    "mask_connect": "ahmed_2018",
    "metaqnn": "baker_2017",
    "nas_bowl": "ru_2021",
    "nasbot": "kandasamy_2018",
    "nash": "elsken_2017",
    "nasnet": "zoph_2018",
    "one_shot": "bender_2018",
    "path_level": "cai_2018b",
    "pc_darts": "xu_2020",
    "pnas": "liu_2018a",
    "proxyless_nas": "cai_2019",
    "random_search": "li_2019",
    "robust_darts": "zela_2020",
    "rsws": "li_2019",
    "rsws_rnn": "li_2019_recurrent",
    "smash": "brock_2018",
    "snas": "xie_2019",
    "spos": "guo_2020",
    "tpe": "bergstra_2013",
    "uct": "wistuba_2018",
    "unrolled_darts": "liu_2019b",
    "zoph_le": "zoph_2017",
}
"""Each recipe's function and its module."""

__getattr__ = lazy(
    __name__,
    {
        f"archwright.recipes.{module}": [name for name, other in RECIPES.items() if other == module]
        for module in RECIPES.values()
    }
    | {"archwright.recipes.recipe": ["Paper", "Recipe", "recipe"]},
)
