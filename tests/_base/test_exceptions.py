import copy
import pickle

import pytest

from kroncy import DivergenceError


def test_the_message_suggests_a_smaller_learning_rate():
    with pytest.raises(
        DivergenceError, match=r"iteration 12; use a learning rate below 2, for example 0\.5"
    ):
        raise DivergenceError(12, 2.0)
    assert issubclass(DivergenceError, FloatingPointError)


@pytest.mark.parametrize("twin", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_survives_the_way_back_from_another_process(twin):
    error = DivergenceError(12, 0.125)
    again = twin(error)
    assert type(again) is DivergenceError
    assert str(again) == str(error)
    assert (again.iteration, again.learning_rate) == (12, 0.125)
