"""Theorem objects on the torch optimizers and on the matrix iterations inside them, one file each."""
