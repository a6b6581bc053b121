import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kroncy._base.guard import Guard


def in_thread(function):
    """What `function` returns, or raises, in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(timeout=20)


def enter(block):
    with block:
        return True


def test_a_second_claim_is_refused_and_the_first_is_named():
    guard = Guard()
    with guard.claim("run"):
        with pytest.raises(RuntimeError, match="step: run is running in another thread"):
            in_thread(lambda: enter(guard.claim("step")))
        with pytest.raises(RuntimeError, match="run is running"):
            in_thread(lambda: enter(guard.change("restore")))
    assert in_thread(lambda: enter(guard.change("step")))


def test_one_thread_may_enter_again():
    guard = Guard()
    again = guard.claim("step"), guard.once()
    with guard.claim("run"), guard.change("run"), guard.read(), guard.change("restore"), again[0]:
        enter(again[1])
    with guard.read(), guard.change("step"), guard.read():
        pass
    assert in_thread(lambda: enter(guard.change("step")))


def test_readers_wait_for_a_change_and_not_for_a_claim():
    guard, order = Guard(), []

    def read():
        with guard.read():
            order.append("read")

    with guard.claim("run"):
        in_thread(read)
        reader = threading.Thread(target=read)
        with guard.change("run"):
            reader.start()
            time.sleep(0.05)
            order.append("changed")
        with guard.change("run"):  # the reader that waited comes first
            order.append("changed again")
        reader.join(timeout=20)
    assert order == ["read", "changed", "read", "changed again"]


def test_a_change_waits_for_readers():
    guard, order = Guard(), []
    inside, leave = threading.Event(), threading.Event()

    def read():
        with guard.read():
            inside.set()
            leave.wait(20)
            order.append("read")

    reader = threading.Thread(target=read)
    reader.start()
    inside.wait(20)
    threading.Timer(0.05, leave.set).start()
    with guard.change("step"):
        order.append("changed")
    reader.join(timeout=20)
    assert order == ["read", "changed"]


def test_an_exception_leaves_nothing_entered():
    guard = Guard()
    for block in (guard.claim, guard.change):
        with pytest.raises(KeyError), block("run"):
            raise KeyError
    with pytest.raises(KeyError), guard.read():
        raise KeyError
    assert in_thread(lambda: enter(guard.change("step")))


def test_a_copy_is_free():
    guard = Guard()
    with guard.change("run"):
        copy = pickle.loads(pickle.dumps(guard))
        assert in_thread(lambda: enter(copy.change("step")))


def exit_code_of_child(function):
    """0 if `function` returns true in a process made by fork()."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if function() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("block", ["claim", "change", "read"])
def test_a_fork_does_not_inherit_what_other_threads_have_entered(block):
    guard = Guard()
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with guard.read() if block == "read" else getattr(guard, block)("run"):
            inside.set()
            leave.wait(20)

    def child():
        if block != "change":
            return enter(guard.change("step"))
        with pytest.raises(RuntimeError, match="forked while run was running"):
            enter(guard.read())
        return True

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(20)
    assert exit_code_of_child(child) == 0
    leave.set()
    thread.join(timeout=20)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_the_thread_that_forks_has_entered_is_entered_in_the_child():
    guard = Guard()

    def child():
        with pytest.raises(RuntimeError, match="run is running in another thread"):
            in_thread(lambda: enter(guard.change("step")))
        with guard.change("step"):
            pass
        return True

    with guard.claim("run"), guard.read():
        assert exit_code_of_child(child) == 0
    assert in_thread(lambda: enter(guard.change("step")))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_may_begin_in_several_threads_at_once():
    guard = Guard()
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with guard.read():
            inside.set()
            leave.wait(20)

    def child():
        barrier = threading.Barrier(8)

        def read(_):
            barrier.wait(20)
            for _ in range(200):
                with guard.read():
                    time.sleep(0)
            return True

        with ThreadPoolExecutor(8) as pool:
            done = all(pool.map(read, range(8), timeout=60))
        return done and enter(guard.change("step"))

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(20)
    assert exit_code_of_child(child) == 0
    leave.set()
    thread.join(timeout=20)
