"""The neural tangent kernel: limit kernel, spectrum, theory, suggestions, measurements."""

from .convergence import Separation, Theory, separation, theory
from .limit import joint_firing, limit_gram
from .measurements import flips, initial_outputs, movement, tangent_kernel
from .spectrum import Rate, extreme_eigenvalues, predicted_loss, predicted_rate
from .suggestions import Suggestion, suggest

__all__ = [
    "Rate",
    "Separation",
    "Suggestion",
    "Theory",
    "extreme_eigenvalues",
    "flips",
    "initial_outputs",
    "joint_firing",
    "limit_gram",
    "movement",
    "predicted_loss",
    "predicted_rate",
    "separation",
    "suggest",
    "tangent_kernel",
    "theory",
]
