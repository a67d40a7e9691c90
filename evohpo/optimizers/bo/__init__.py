"""Bayesian optimization, model by model: see `bo`."""
