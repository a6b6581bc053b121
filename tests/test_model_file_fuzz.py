"""Forged model files, a thousand at a time; fuzz_model_file.py runs longer by itself."""

import multiprocessing
import os
import signal
import time

import fuzz_model_file
import pytest


def test_no_forged_file_ends_the_process_or_misleads():
    counts, faults = fuzz_model_file.run(2000)
    assert not faults
    assert sum(counts.values()) == 2000
    assert counts["refused"] > 1000 and counts["same"] > 200 and counts["free"] > 20


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_file_that_ends_the_process_or_hangs_is_a_fault(monkeypatch, tmp_path):
    def trial(numbers, seed, folder, paths, report):
        for number in numbers:
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == 5:
                time.sleep(60)
            report((number, "refused"))

    monkeypatch.setattr(fuzz_model_file, "run_batch", trial)
    monkeypatch.setattr(fuzz_model_file, "make_models", lambda folder: [])
    monkeypatch.setattr(fuzz_model_file, "CONTEXT", multiprocessing.get_context("fork"))
    monkeypatch.setattr(fuzz_model_file, "SECONDS", 2)
    counts, faults = fuzz_model_file.run(8)
    assert counts["refused"] == 6
    assert faults == [(3, "FAULT death: -9"), (5, "FAULT hang")]
