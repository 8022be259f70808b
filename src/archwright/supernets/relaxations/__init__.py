"""What the gradient strategies relax a space to: one file, one paper."""
