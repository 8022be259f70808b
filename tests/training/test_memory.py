import numpy as np
import pytest
import torch

from archwright.training.memory import out_of_memory


def test_a_machine_that_has_not_so_much_memory_is_out_of_memory():
    with pytest.raises(RuntimeError) as by_torch:
        torch.empty(2**50)
    with pytest.raises(MemoryError) as by_numpy:
        np.empty(2**58, dtype=np.int8)
    assert out_of_memory(by_torch.value)
    assert out_of_memory(by_numpy.value)


def test_a_gpu_and_windows_say_it_in_their_own_words():
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."))


def test_other_errors_are_no_want_of_memory():
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not out_of_memory(ValueError("not enough memory"))
