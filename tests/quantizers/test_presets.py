"""Strings and objects become checked methods."""

import pytest
from quantization_spaces import (
    assert_lends_what_it_quantizes,
    lent,
    normal,
    space_of,
)
from sklearn.base import clone

from sklearn_pb.quantizers import (
    BSQ,
    LSQ,
    METHODS,
    PACT,
    DoReFa,
    PostTraining,
    SmolActivations,
    resolve_activations,
    resolve_quantization,
)


def test_names_the_methods():
    assert sorted(METHODS) == ["bsq", "dorefa", "lsq", "pact", "post-training", "smol"]
    assert isinstance(resolve_quantization("bsq"), BSQ)
    assert isinstance(resolve_quantization("post-training"), PostTraining)
    assert resolve_quantization("pact").activation_bits == 4


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_lends_what_it_ends_with(name):
    weights = [normal(4, 6), normal(3, 2, 2, 2, seed=1)]
    alive = [normal(4, 6, seed=2) > 0, None]
    weights[0] *= alive[0]
    run = resolve_quantization(name).start(
        space_of(*weights, alive=alive, initial_bits=4.0)
    )
    run.advance(0.0)
    for _ in range(2):
        assert_lends_what_it_quantizes(run, weights)
        assert not lent(run, weights, False)[0][~alive[0]].any()
        run.freeze(weights)
        run.confine_(weights)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_are_cloned_and_compared_by_parameters(name):
    method = resolve_quantization(name)
    assert repr(clone(method)) == repr(method)


def test_an_object_is_copied():
    method = LSQ(bits=3)
    resolved = resolve_quantization(method)
    assert resolved is not method
    assert resolved.bits == 3


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match=r"method='sml' is unknown.*bsq, dorefa"):
        resolve_quantization("sml")
    with pytest.raises(TypeError, match=r"method=3 must be a string"):
        resolve_quantization(3)
    with pytest.raises(ValueError, match=r"bits=0 must be"):
        resolve_quantization(DoReFa(bits=0))
    with pytest.raises(ValueError, match=r"activations='relu' is unknown"):
        resolve_activations("relu")
    with pytest.raises(TypeError, match=r"activations=3 must be a string"):
        resolve_activations(3)
    with pytest.raises(ValueError, match=r"bits=0 must be"):
        resolve_activations(PACT(0))


def test_resolves_activations():
    assert resolve_activations(None) is None
    assert isinstance(resolve_activations("smol"), SmolActivations)
    given = PACT(3)
    resolved = resolve_activations(given)
    assert resolved is not given
    assert resolved.bits == 3
