"""What a run, a comparison or a diagnosis looks like on paper: one self-contained HTML page each.

matplotlib and jinja2 load when it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.reports.comparison import comparison_html
    from archwright.reports.diagnosis import diagnosis_html
    from archwright.reports.page import html

__all__ = ["comparison_html", "diagnosis_html", "html"]

__getattr__ = lazy(
    __name__,
    {
        "archwright.reports.comparison": ["comparison_html"],
        "archwright.reports.diagnosis": ["diagnosis_html"],
        "archwright.reports.page": ["html"],
    },
)
