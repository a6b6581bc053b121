"""The model of an unfinished training, if the same command wrote it."""

from typing import Any

from ..estimators.stored import MAY_CHANGE, first_changed
from ..persistence import model_name, read_model
from .options import FLAGS, LABEL_FLAGS


def unfinished_model(path: str, wanted: Any, note: dict[str, Any]) -> Any:
    """The model in `path` in its last state, if it was trained on the same data and options."""
    if model_name(path) == "KroneckerEnsemble":
        raise ValueError(f"{path} holds --members, whose training cannot be resumed; to replace it "
                         "use --overwrite")
    model, before = read_model(path, resume=True, comm=wanted.comm)
    if before is None or _settings(before) != _settings(note):
        raise ValueError(
            f"{path} was trained on other columns or another task; to replace it use --overwrite "
            "in place of --resume"
        )
    old, new = model.get_params(), wanted.get_params()
    name = first_changed(old, new)
    if name is not None:
        flag = (FLAGS | LABEL_FLAGS).get(name, name)
        raise ValueError(
            f"{path} was trained with {flag} {_in_words(old[name])}, not {_in_words(new[name])}; "
            "--resume needs the same options"
        )
    if before["samples"] != note["samples"]:
        raise ValueError(
            f"{path} was trained on other pairs or other values in the tables; --resume needs the "
            "same files"
        )
    return model.set_params(**{name: new[name] for name in MAY_CHANGE})


def _settings(note: dict[str, Any]) -> list[Any]:
    """What the options made of the columns."""
    sides = [{name: value for name, value in note[side].items() if name != "ids"}
             for side in ("left", "right")]
    return [note["task"], note["target"], note["missing"], *sides]


def _in_words(value: Any) -> str:
    """Value of an option, which may be its default."""
    return "left to choose" if value in (None, "auto") else str(value)
