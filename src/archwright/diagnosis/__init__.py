"""How far a cheap estimate ranks as the full one does."""
