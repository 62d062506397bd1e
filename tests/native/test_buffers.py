"""Memory that is used again. Oracle: where an array lies."""

import numpy as np
import pytest

from homespun import _native


@pytest.fixture(autouse=True)
def _no_free_memory():
    _native.release_buffers()


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_once_nothing_refers_to_it():
    first = _native.uninitialized(1000)
    part, place = first[10:20], address(first)
    first[:] = 1.0
    del first
    assert address(_native.uninitialized(1000)) != place, "a part of it is still there"
    assert np.array_equal(part, np.ones(10, np.float32))
    del part
    assert address(_native.uninitialized(1000)) == place


def test_two_arrays_share_no_memory():
    arrays = [_native.uninitialized(n) for n in (5, 5, 7)]
    for value, array in enumerate(arrays):
        array[:] = value
    assert all((array == value).all() for value, array in enumerate(arrays))


def test_free_memory_is_no_more_than_was_ever_used_at_a_time():
    """Oracle: by hand, of one array of 4 at a time one is kept."""
    places = set()
    for n in (4, 3, 2, 1):
        places.add(address(_native.uninitialized(n)))
    kept = _native.uninitialized(4)
    assert address(kept) in places
