"""Parts of the benchmark of optimizer steps: lists of parameters, contestants, floors, the clock, memory."""
