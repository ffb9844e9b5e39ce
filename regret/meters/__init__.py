"""Statistics of a game, updated once per step."""
