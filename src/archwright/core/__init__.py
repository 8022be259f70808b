"""Floor 0: the words everything else is said in. Imports nothing of ours above it, and no torch."""
