"""Models that several strategies learn with. A strategy's own model stays in its file."""
