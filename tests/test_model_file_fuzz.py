"""Forged model files, a thousand at a time; fuzz_model_file.py runs longer by itself."""

import fuzz_model_file


def test_no_forged_file_ends_the_process_or_misleads():
    counts, faults = fuzz_model_file.run(2000)
    assert not faults
    assert sum(counts.values()) == 2000
    assert counts["refused"] > 1000 and counts["same"] > 200 and counts["free"] > 20
