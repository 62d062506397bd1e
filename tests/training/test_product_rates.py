"""The products that `doctor` measures. How fast they are is not asserted."""

import pytest
import torch

from homespun.training.product_rates import (
    MAX_TOKENS,
    WEIGHTS,
    affordable_tokens,
    list_products,
    measure_products,
)


@pytest.mark.parametrize(("precision", "rtol"), [("float32", 1e-5), ("bfloat16", 2**-7)])
def test_both_libraries_compute_each_product(precision, rtol):
    """Oracle: the definition in float64. 2**-7 is the rounding of two factors and of torch's result to bfloat16."""
    products = list_products(num_tokens=8)
    assert len(products) == 3 * len(WEIGHTS)
    for product in products:
        left = product.left.double().T if product.transposes_left else product.left.double()
        right = product.right.double().T if product.transposes_right else product.right.double()
        expected = left @ right
        assert expected.shape == product.shape
        # Written to float32, so that what each library leaves there can be compared.
        out = torch.zeros(product.shape)
        product.by_kernels(out, precision)()
        scale = (left.abs() @ right.abs()).max().item()
        assert (out - expected).abs().max().item() <= rtol * scale
        if precision == "float32":
            product.by_torch(out.zero_(), precision)()
            assert (out - expected).abs().max().item() <= rtol * scale


def test_operations_are_counted():
    """Oracle: by hand, 2 x 8 x 512 x 1344 for each product of one weight."""
    products = [product for product in list_products(num_tokens=8) if product.name.startswith("512 x 1344")]
    assert [product.num_flops for product in products] == [2 * 8 * 512 * 1344] * 3


@pytest.mark.parametrize("library", ["kernels", "torch"])
def test_rates_are_positive(library):
    products = list_products(num_tokens=2)
    rates = measure_products(products, library, "float32")
    assert len(rates) == len(products)
    assert all(rate > 0 for rate in rates)


def test_a_slow_processor_multiplies_fewer_tokens():
    """Oracle: by hand. Twice each, 4,096 tokens are 80 GFLOP a column."""
    assert affordable_tokens(1.0, [1e15]) == MAX_TOKENS
    assert affordable_tokens(1.0, [81e9]) == MAX_TOKENS
    assert affordable_tokens(1.0, [79e9]) == MAX_TOKENS // 2
    assert affordable_tokens(1.0, [81e9, 81e9]) == MAX_TOKENS // 2
    assert affordable_tokens(1.0, [1.0]) == 1
