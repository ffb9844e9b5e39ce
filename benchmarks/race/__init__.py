"""The race: finite-sum solvers against each other, each stopped by its own rule; every optimum is certified first."""
