"""The estimators keep scikit-learn's own laws, all of them, at the default tolerance and with every loss."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from convex import DASVRDAClassifier, DASVRDARegressor

ESTIMATORS = [
    DASVRDAClassifier(),
    DASVRDAClassifier(l1_ratio=0.5),
    DASVRDAClassifier(loss="multinomial"),
    DASVRDAClassifier(loss="squared_hinge"),
    DASVRDAClassifier(loss="modified_huber"),
    DASVRDARegressor(),
    DASVRDARegressor(l1_ratio=0.5),
    DASVRDARegressor(loss="huber"),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_s_checks(estimator, check):
    check(estimator)
