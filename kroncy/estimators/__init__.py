"""scikit-learn estimators: regressor, classifier, limit kernel, incremental fitting."""
