"""Pure functions on tensors: labels, losses, closed forms, executable equations, metrics, intervals."""
