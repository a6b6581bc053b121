"""The order of the page: results, training, theory."""

import os
from typing import Any

from ..._base.files import open_output
from ...estimators.members import first_member
from ...training.trainer import KroneckerSGD
from .html import Section, text, whole_page
from .results import result_section
from .theory import theorem, theory_cards
from .training import fact_cards, learning_cards, summary


def write_report(
    model: Any, path: str | os.PathLike[str], *, title: str, note: dict[str, Any] | None = None
) -> None:
    """Write the page about a model.

    Parameters
    ----------
    model : estimator or KroneckerSGD
        Of an ensemble, the training and the theory are those of its first member.
    path : str or path-like
    title : str
    note : dict, optional
        What ``kroncy train`` wrote into the model file.

    Raises
    ------
    ValueError
        The model has not been trained, or is no network.
    ImportError
        matplotlib is not installed.
    """
    member = first_member(model)
    trainer: Any = getattr(member, "trainer_", member)
    if not isinstance(trainer, KroneckerSGD):
        raise ValueError(f"{title} holds a {type(model).__name__}; a report is about a network")
    if not trainer.history:
        done = trainer.counters["iterations"]
        raise ValueError(
            f"{title} has no complete epoch to report ({done} iterations): train it first, with "
            "fit() or run(), and save it again"
        )
    parts: list[object] = []
    print("report: what is predicted", flush=True)
    results = result_section(model, note)
    if results is not None:
        parts.append(results)
    print("report: the training", flush=True)
    parts.append(Section("How the training went", learning_cards(member, trainer)))
    parts.append(Section("What was trained", fact_cards(model, member, trainer, note)))
    print("report: the theory", flush=True)
    parts.append(Section("What the theory says of this training", theory_cards(trainer)))
    parts.append("<h2>The convergence theorem on these data</h2>")
    parts.append(text(theorem(trainer)))
    page = whole_page(title, summary(model, member, trainer), parts)
    with open_output(path) as stream:
        stream.write(page.encode(errors="backslashreplace"))
