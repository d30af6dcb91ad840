"""One drawn dataset, plain and cached, for all trainer tests."""

import pytest

from tests.trainer.synthetic import cached, write_dataset


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "plain")


@pytest.fixture(scope="session")
def dataset(plain, checkpoint, tmp_path_factory):
    return cached(plain, checkpoint, tmp_path_factory.mktemp("data") / "cached")
