"""One training loop for teacher and student alike, and what it is made of."""
