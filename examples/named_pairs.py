"""Tables with names: which users are hard to predict?
======================================================

Users and items come as data frames with names, numbers and text; ratings as a frame of names.  A
ridge regression and a network on what it leaves predict held-out ratings.  Predictions are Series
with the names of the pairs; ``by_pair`` gives the measured ratings the same names, so that pandas
can subtract them and group the errors by user.

::

    python examples/named_pairs.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from kroncy import KroneckerData, KroneckerRegressor
from kroncy.plot import new_figure, plot_errors, plot_predictions


def tables(rng):
    users = pd.DataFrame({
        "user": [f"user {i:02}" for i in range(60)],
        "age": rng.integers(18, 80, 60),
        "town": rng.choice(["Bergen", "Lima", "Osaka"], 60),
    })
    items = pd.DataFrame({
        "item": [f"item {i:02}" for i in range(40)],
        "price": rng.lognormal(3, 1, 40),
        "genre": rng.choice(["crime", "poetry", "travel"], 40),
    })
    ratings = pd.DataFrame({
        "user": rng.choice(users["user"], 1500), "item": rng.choice(items["item"], 1500)
    })
    far = ratings.merge(users).merge(items)  # in the order of the ratings
    stars = 3 + (far["town"] == "Lima") * (far["genre"] == "crime") - (far["age"] - 50) / 30
    noise = np.where(far["user"] < "user 05", 1.5, 0.2)  # some users rate as they like
    return users, items, ratings.assign(stars=stars + noise * rng.standard_normal(1500))


def main(folder):
    users, items, ratings = tables(np.random.default_rng(0))
    data = KroneckerData.from_frames(
        users, items, ratings, left_on="user", right_on="item", standardize=True
    )
    print(data)
    train, test, stars, stars_test = train_test_split(data, ratings["stars"], random_state=0)
    model = KroneckerRegressor(256, base="ridge", random_state=0).fit(train, stars)
    predicted, measured = model.predict(test), test.by_pair(stars_test)
    errors = (predicted - measured).abs().groupby("user").agg(["mean", "count"])
    print(errors.nlargest(5, "mean").to_string())

    figure, axes = new_figure(2)
    plot_predictions(measured, predicted, axes[0], name="stars")
    plot_errors(errors.index, errors["mean"], errors["count"], axes[1], name="mean error in stars")
    path = Path(folder, "named_pairs.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
