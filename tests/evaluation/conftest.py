"""A data set of vessel trees and a good run on it, for tests that score runs."""

import pytest

from tests.support.vessel_runs import SIDE, write_data, write_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def truths(data):
    return {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}


@pytest.fixture(scope="module")
def good(data, truths, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("good") / "good", truths)
