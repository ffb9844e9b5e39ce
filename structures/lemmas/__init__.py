r"""The laws of well-structured sets as theorem objects, one file per law; `theory.registry` finds them.

Each law speaks of a batch of matrix instances (`instance.Instance`), checks what it assumes on that batch, and is tried on
every class of `structures` and on the negative controls of `structures.not_structured` that must break it. Proofs are in
docs/proofs/characterisation.md.
"""
