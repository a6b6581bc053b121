"""A data scientist's day: frames with names and categories, sparse columns, a search, new pairs."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.model_selection import GridSearchCV, GroupKFold, train_test_split

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, KroneckerRidge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_from_frames_to_a_ranking_of_new_pairs(tmp_path):
    # The tables as they come: names, text, booleans, numbers in their units, rare categories.
    rng = np.random.default_rng(0)
    users = pd.DataFrame({
        "user": [f"u{i:03}" for i in range(80)],
        "age": rng.integers(18, 80, 80),
        "premium": rng.random(80) < 0.3,
        "town": rng.choice([f"town {i}" for i in range(50)], 80),
    })
    items = pd.DataFrame({
        "item": np.arange(1000, 1060),
        "genre": pd.Categorical(rng.choice(["crime", "poetry", "travel"], 60)),
    })
    tags = sp.random_array((60, 400), density=0.02, format="csr", random_state=rng)
    tags.data[:] = 1
    ratings = pd.DataFrame({
        "item": rng.choice(items["item"], 900), "user": rng.choice(users["user"], 900),
    })
    premium = users.set_index("user")["premium"][ratings["user"]].to_numpy()
    crime = (items.set_index("item")["genre"][ratings["item"]] == "crime").to_numpy()
    ratings["stars"] = 3.0 + np.where(premium == crime, 1, -1) + 0.3 * rng.standard_normal(900)

    data = KroneckerData.from_frames(
        users, (items, tags), ratings, left_on="user", right_on="item",
        standardize=True, bias=1.0, handle_unknown="ignore",
    )
    assert all(table.is_sparse for table in data.modes.tables)  # towns and tags
    train, test, y_train, y_test = train_test_split(data, ratings["stars"], random_state=0)

    # A search that asks about users the model has not seen.
    search = GridSearchCV(
        KroneckerRidge(random_state=0), {"alpha": [0.1, 1.0, 10.0]}, cv=GroupKFold(3)
    ).fit(train, y_train, groups=train.ids[0])
    assert search.best_score_ > 0.7
    found = search.predict(test)
    assert isinstance(found, pd.Series) and found.index.names == ["user", "item"]
    measured = ratings.loc[y_test.index].set_index(["user", "item"])["stars"]
    assert found.index.equals(measured.index)
    assert np.corrcoef(found, measured)[0, 1] > 0.85

    # A network on the same data, saved; from the file alone, new users are scored.
    model = KroneckerRegressor(128, base="ridge", random_state=0, max_iter=3).fit(train, y_train)
    kroncy.save(model, tmp_path / "stars.npz")
    loaded = kroncy.load(tmp_path / "stars.npz")
    newcomers = pd.DataFrame({
        "user": ["yes", "no"], "age": [30, 30], "premium": [True, False],
        "town": ["unknown town", "town 3"],
    })
    wanted = newcomers[["user"]].merge(items[["item"]], how="cross")
    scores = loaded.predict(loaded.trainer_.data.like(wanted, left=newcomers))
    is_crime = items.set_index("item")["genre"] == "crime"
    best = scores.groupby("user").idxmax()
    assert is_crime[best["yes"][1]] and not is_crime[best["no"][1]]

    # Which column counts: shuffled among the users, it costs the model its score.
    def score_without(column):
        shuffled = users.assign(**{column: rng.permutation(users[column])})
        return search.score(data.like(ratings, left=shuffled), ratings["stars"])

    assert score_without("premium") < search.score(data, ratings["stars"]) - 0.3 < (
        score_without("age")
    )

    # Labels: probabilities by pair and class.
    liked = np.where(ratings["stars"] > 3, "liked", "not liked")
    classifier = KroneckerClassifier(64, random_state=0, max_iter=3).fit(data, liked)
    table = data.by_pair(classifier.predict_proba(data), classifier.classes_)
    assert list(table.columns) == ["liked", "not liked"]
    assert (classifier.predict(data) == liked).mean() > 0.9
