"""scikit-learn estimators: regressor, classifier and limit kernel, with incremental fitting."""
