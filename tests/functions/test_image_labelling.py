import math

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import ImageLabelling, QuadraticFunction, enumerate_points
from sklearn_pb.testing import check_function


def energy(costs, price, image):
    """By the definition; `price` gives the weight of two pixels, 0 for far ones."""
    height, width = image.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    total = sum(costs[y, x, image[y, x]] for y, x in pixels)
    for number, p in enumerate(pixels):
        for q in pixels[number + 1 :]:
            if image[p] != image[q]:
                total += price(p, q)
    return total


def distance_price(weight, neighbours):
    def price(p, q):
        steps = abs(p[0] - q[0]), abs(p[1] - q[1])
        if steps in ((0, 1), (1, 0)):
            return weight
        return weight / math.sqrt(2) if neighbours == 8 and steps == (1, 1) else 0.0

    return price


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 3), (3, 3)])
def test_energy_is_the_definition(neighbours, shape):
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(*shape, 2))
    J = ImageLabelling(costs, 0.7, neighbours=neighbours)
    price = distance_price(0.7, neighbours)
    Z = next(enumerate_points(J.n_variables, dtype=torch.float64))
    expected = [energy(costs, price, image) for image in J.to_image(Z)]
    np.testing.assert_allclose(J(Z).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_weights_of_single_pairs(neighbours):
    rng = np.random.default_rng(1)
    shapes = [(3, 2), (2, 3), (2, 2), (2, 2)][: neighbours // 2]
    weights = [rng.random(shape) for shape in shapes]

    def price(p, q):
        step = q[0] - p[0], q[1] - p[1]
        places = {(0, 1): (0, p), (1, 0): (1, p), (1, 1): (2, p)}
        places[1, -1] = (3, (p[0], p[1] - 1))
        if step not in places or places[step][0] >= len(weights):
            return 0.0
        direction, place = places[step]
        return weights[direction][place]

    costs = rng.normal(size=(3, 3, 2))
    J = ImageLabelling(costs, weights, neighbours=neighbours)
    Z = torch.from_numpy(rng.integers(0, 2, (50, 9))).double()
    expected = [energy(costs, price, image) for image in J.to_image(Z)]
    np.testing.assert_allclose(J(Z).numpy(), expected, atol=1e-12)


def test_one_array_of_costs_is_that_of_label_one():
    unary = np.array([[1.0, -2.0], [0.5, 0.0]])
    both = np.stack([np.zeros((2, 2)), unary], axis=2)
    Z = next(enumerate_points(4))
    assert torch.equal(ImageLabelling(unary, 2)(Z), ImageLabelling(both, 2)(Z))


def test_pairwise_terms_are_submodular():
    J = ImageLabelling(np.zeros((4, 5)), 0.3, neighbours=8)
    assert (J.Q.to_dense() <= 0).all()


def test_contract():
    check_function(ImageLabelling(np.arange(6.0).reshape(2, 3) - 3, 0.5))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones(3),), {}, ValueError, r"unary must have shape.*got \(3,\)"),
        ((np.ones((2, 2, 3)),), {}, ValueError, "unary must have shape"),
        ((np.full((2, 2), np.nan),), {}, ValueError, "unary must be finite"),
        ((np.ones((2, 2)), -1.0), {}, ValueError, "pairwise=-1.0"),
        ((np.ones((2, 2)), sparse.eye_array(4)), {}, TypeError, "for any other graph"),
        ((np.ones((2, 2)), [np.ones((2, 1))]), {}, ValueError, "pairwise has arrays"),
        (
            (np.ones((2, 2)), [np.ones((2, 1)), -np.ones((1, 2))]),
            {},
            ValueError,
            "at least 0",
        ),
        ((np.ones((2, 2)),), {"neighbours": 6}, ValueError, "neighbours must be 4 or"),
    ],
)
def test_bad_input_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ImageLabelling(*arguments, **options)


def test_another_graph_has_the_energy_that_the_error_names():
    W = np.array([[0, 2.0, 1], [2, 0, 0], [1, 0, 0]])
    J = QuadraticFunction(np.diag(W.sum(axis=0)) - W, [-1.0, 0.5, 0.0])
    Z = next(enumerate_points(3, dtype=torch.float64))
    borders = 2.0 * (Z[:, 0] != Z[:, 1]) + (Z[:, 0] != Z[:, 2])
    torch.testing.assert_close(J(Z), borders - Z[:, 0] + 0.5 * Z[:, 1])


def test_images_need_as_many_labels_as_pixels():
    with pytest.raises(ValueError, match=r"z has shape \(3,\).*must be 4"):
        ImageLabelling(np.ones((2, 2))).to_image([1, 0, 1])
