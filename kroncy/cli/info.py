"""kroncy info: this build, and what a model file holds."""

import argparse
from typing import Any

from .._base.config import show_config
from ..estimators.early_stopping import best_epoch, scores_in_words
from ..estimators.ensemble import KroneckerEnsemble
from ..estimators.members import first_member
from ..estimators.ridge_base import BaseKroneckerRidge
from ..estimators.ridge_part import base_in_words
from ..persistence import read_model


def run(arguments: argparse.Namespace) -> None:
    """Print the configuration, and a model."""
    show_config()
    if arguments.model is None:
        return
    model, note = read_model(arguments.model)
    print(f"\n{arguments.model}: {type(model).__name__}")
    if note is not None:
        left, right = len(note["left"]["names"]), len(note["right"]["names"])
        print(f"  task       {note['task']} of {note['target']!r}")
        print(f"  tables     {left} left and {right} right columns; missing: {note['missing']}")
    if isinstance(model, KroneckerEnsemble):
        print(f"  members    {model.n_members}, of which the first:")
    model = first_member(model)
    if isinstance(model, BaseKroneckerRidge):
        _print_ridge(model)
    else:
        _print_network(model)


def _print_samples(data: Any) -> None:
    print(f"  samples    {data.n_samples:,}")
    print(f"  features   {data.n_features:,}")


def _print_ridge(model: BaseKroneckerRidge) -> None:
    _print_samples(model.function_.data)
    tried = len(model.alphas_)
    print(f"  ridge      {model.alpha_:.4g}, {f'the best of {tried}' if tried > 1 else 'as given'}")


def _print_network(model: Any) -> None:
    trainer = getattr(model, "trainer_", model)
    _print_samples(trainer.data)
    print(f"  neurons    {trainer.n_hidden:,}, threshold {trainer.threshold:.3f}")
    print(f"  training   {trainer.n_epochs_done} epochs, engine {trainer.engine}, "
          f"start {trainer.start}")
    print(f"  order      {trainer.order}")
    print(f"  cost       {trainer.engine_costs}")
    if model is not trainer:
        print(f"  base       {base_in_words(model.base_, model.base_weights_)}")
    if getattr(model, "best_validation_score_", None) is not None:
        print(f"  validation {scores_in_words(model, best_epoch(model))}, on "
              f"{len(model.validation_indices_):,} held-out samples")
