"""Finite-sum solvers behind the scikit-learn API: estimators whose stopping rule is a certified duality gap."""

from convex.estimators.classifier import DASVRDAClassifier
from convex.estimators.path import RegularizationPath, regularization_path
from convex.estimators.regressor import DASVRDARegressor

__all__ = ["DASVRDAClassifier", "DASVRDARegressor", "RegularizationPath", "regularization_path"]
