"""Probes of an optimizer's manners: what it does where training goes wrong, and whether it is a good torch citizen."""
