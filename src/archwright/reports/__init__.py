"""What a run looks like on paper: one self-contained HTML page. matplotlib and jinja2 load when it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.reports.page import html

__all__ = ["html"]

__getattr__ = lazy(__name__, {"archwright.reports.page": ["html"]})
