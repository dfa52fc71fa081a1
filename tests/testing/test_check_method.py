"""check_method passes what is right and tells the author what is wrong.

Our own methods are crossed with it in tests/methods/test_all.py.
"""

import re

import numpy as np
import pytest
import torch

from sklearn_pb.constraints import ConstraintRun
from sklearn_pb.methods import Continuation, Method, Search
from sklearn_pb.methods._continuation import ContinuationSearch
from sklearn_pb.testing import check_method


class ToySearch(Search):
    """Follow the slope of the cost at a random mask, and the price of a one."""

    needs_slope = True

    def __init__(self, space, method):
        super().__init__(space)
        self.rate = method.rate
        self.values = torch.zeros(space.n_variables, dtype=space.dtype)
        self.run = ConstraintRun()
        if space.constraint is not None:
            self.run = space.constraint.start(space.quota, 0.5)

    def mask(self):
        generator = self.space.stream.child(self.step).torch_generator()
        noise = torch.rand(len(self.values), generator=generator) - 0.5
        return (self.values + noise.to(self.values) >= 0).to(self.values)

    def update(self, function, slope):
        price = self.run.price(slope.abs, self.kept, self.progress, self._step_size)
        self.values -= self.rate * (slope + price)

    def kept(self):
        return (self.values >= 0).to(self.values)

    def scores(self):
        return self.values.clone()

    def state_dict(self):
        own = {"values": self.values.clone(), "run": self.run.state_dict()}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.values.copy_(state["values"])
        self.run.load_state_dict(state["run"])


class Toy(Method):
    """A small method that is right."""

    needs_relaxable = True
    search = ToySearch

    def __init__(self, *, rate=0.01):
        self.rate = rate

    def check(self):
        if self.rate <= 0:
            raise ValueError(f"rate={self.rate} must be positive.")

    def start(self, space):
        return self.search(space, self)


def toy(**changes):
    """A method whose search has some parts replaced."""
    search = type("BrokenSearch", (ToySearch,), changes)

    class Broken(Toy):
        def start(self, space):
            return search(space, self)

        def __reduce__(self):  # so that a class made here can be pickled
            return (Toy, ())

    return Broken()


def test_the_toy_itself_is_right():
    check_method(Toy())


# Constructors.


class Converts(Toy):
    def __init__(self, *, rate=1):
        self.rate = float(rate) * 1.0 + 0.5


class Renames(Toy):
    def __init__(self, *, rate=0.01):
        self._rate = rate


class Works(Toy):
    def __init__(self, *, rate=0.01):
        self.rate = rate
        self.logits = torch.zeros(3)


class ChecksWrongly(Toy):
    def check(self):
        raise ValueError("rate must be an even number.")


class CheckReturns(Toy):
    def check(self):
        return True


class CheckChanges(Toy):
    def check(self):
        self.rate = 0.5


class StartsNothing(Toy):
    def start(self, space):
        return None


class StartFails(Toy):
    def start(self, space):
        raise RuntimeError("no luck")


class StartLearnsFromItself(Toy):
    def start(self, space):
        self.rate *= 2
        return ToySearch(space, self)


class ForgetsRelaxable(Toy):
    needs_relaxable = False


class WantsBoth(Toy):
    needs_weights = True


@pytest.mark.parametrize(
    "method, message",
    [
        (3, "3 is not a method; subclass"),
        (Converts(), "cannot be cloned; the constructor must store its parameters"),
        (Renames(), "get_params() failed; the constructor must store every parameter"),
        (Works(), "the constructor of Works sets ['logits'] besides its parameters"),
        (
            ChecksWrongly(),
            "rejects its hyperparameters: ValueError: rate must be an even",
        ),
        (CheckReturns(), "check() returned True; it must raise or return nothing"),
        (CheckChanges(), "check() changed the hyperparameters"),
        (StartsNothing(), "start() returned a NoneType; it must return a Search"),
        (StartFails(), "start(space) failed: RuntimeError: no luck"),
        (StartLearnsFromItself(), "a search changed its hyperparameters"),
        (ForgetsRelaxable(), "needs_relaxable must be True too"),
        (WantsBoth(), "learns and needs_weights are both True"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_methods_are_told(method, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_method(method)


def test_a_method_that_cannot_be_pickled_is_told():
    with pytest.raises(AssertionError, match="cannot be pickled"):
        check_method(Toy(rate=type("Rate", (float,), {})(0.01)))


# Searches.


def no_super_init(self, space, method):
    self.space, self.rate = None, method.rate


def forgetful_advance(self, progress):
    self.progress = progress


def greedy_init(self, space, method):
    ToySearch.__init__(self, space, method)
    if len(space.quota.sizes) > 1:
        space.quota.sizes = (*space.quota.sizes, 1)


def cyclic_init(self, space, method):
    ToySearch.__init__(self, space, method)
    self.hook = self.mask


def live_state(self):
    return {**ToySearch.state_dict(self), "values": self.values}


def poor_state(self):
    return {**ToySearch.state_dict(self), "values": self.values * 0}


def global_mask(self):
    return (torch.rand(len(self.values)) < 0.5).to(self.values)


def numpy_mask(self):
    np.random.mtrand._rand.rand()
    return torch.ones_like(self.values)


def global_scores(self):
    return self.values + torch.rand(len(self.values)).to(self.values)


def counted_mask(self):
    self.values += torch.rand(1, generator=GENERATOR).to(self.values)
    return ToySearch.mask(self)


GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"__init__": no_super_init}, "does not keep its space; call super().__init__"),
        (
            {"advance": forgetful_advance},
            "advance() must call super().advance(progress)",
        ),
        ({"__init__": greedy_init}, "a search changed its quota"),
        (
            {"mask": lambda self: torch.ones(3)},
            "mask() returned shape (3,) for a space of 8 variables",
        ),
        (
            {"mask": lambda self: ToySearch.mask(self).double()},
            "mask() has dtype torch.float64; it must be torch.float32",
        ),
        (
            {"mask": lambda self: 2 * torch.ones_like(self.values)},
            "mask() returned values outside [0, 1]",
        ),
        (
            {"mask": lambda self: torch.full_like(self.values, torch.nan)},
            "mask() is not finite",
        ),
        (
            {"mask": lambda self: ToySearch.mask(self).requires_grad_()},
            "mask() carries a gradient of its own",
        ),
        ({"update": lambda self, function: None}, "update(None, slope) failed"),
        (
            {"update": lambda self, function, slope: function(self.mask()[None])},
            "update(None, slope) failed, though needs_slope is True",
        ),
        (
            {"needs_slope": False},
            "update(function, None) failed, though needs_slope is False",
        ),
        (
            {"needs_slope": False, "update": lambda self, function, slope: None},
            "neither wants the slope (needs_slope is False) nor calls the function",
        ),
        ({"scores": lambda self: self.values[:2]}, "scores() has shape (2,)"),
        ({"density": lambda self: self.values}, "it must be a float in [0, 1]"),
        ({"mask": global_mask}, "drew from torch's global generator"),
        ({"scores": global_scores}, "drew from torch's global generator"),
        ({"mask": numpy_mask}, "drew from numpy's global generator"),
        ({"mask": counted_mask}, "with the same stream gave different masks"),
        ({"state_dict": lambda self: 1}, "state_dict() returned a int"),
        ({"state_dict": poor_state}, "did not go on as the first one did"),
        ({"state_dict": live_state}, "after the first search went on"),
        (
            {"harden": lambda self: self.mask()},
            "harden() has dtype torch.float32; it must be torch.bool",
        ),
        ({"harden": lambda self: self.values >= 0}, "it must keep exactly [8]"),
        ({"__init__": cyclic_init}, "because of a reference cycle"),
        (
            {"update": lambda self, f, slope: self.values.add_(slope, alpha=0.01)},
            "Is the sign of the step right",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_broken_searches_are_told(changes, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_method(toy(**changes))


# Prices.


class DeafSearch(ContinuationSearch):
    """A continuation that follows the cost and forgets the price."""

    def _gradient(self, function, slope):
        return self._step.backward_(slope * self.beta, self._mask)


class Deaf(Continuation):
    def start(self, space):
        return DeafSearch(space, self)


class StubbornSearch(ContinuationSearch):
    """A continuation that pays the same price all along."""

    def _price(self, slopes):
        return 0.1


class Stubborn(Continuation):
    def start(self, space):
        return StubbornSearch(space, self)


def deaf_update(self, function, slope):
    self.values -= self.rate * slope


@pytest.mark.parametrize("method", [Deaf(), Stubborn(), toy(update=deaf_update)])
def test_a_method_that_cannot_be_steered_is_told(method):
    with pytest.raises(AssertionError, match="own density is 1; about"):
        check_method(method)


class Steered(Toy):
    """The toy, steered to a sparsity and free of charge without one."""

    def start(self, space):
        search = ToySearch(space, self)
        if space.sparsity is None:
            search.run = ConstraintRun()
        return search


def test_a_method_that_ignores_a_fixed_price_is_told():
    message = "at a price of 5 for a one (L0Penalty), the hardened mask keeps 8 of 8"
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_method(Steered())


class SmallestSearch(Search):
    """Magnitude pruning the wrong way round."""

    def mask(self):
        return torch.ones(self.space.n_variables, dtype=self.space.dtype)

    def update(self, function, slope):
        pass

    def scores(self):
        return -self.space.weights.magnitudes().to(self.space.dtype)


class Smallest(Method):
    needs_weights = True
    learns = False

    def check(self):
        pass

    def start(self, space):
        return SmallestSearch(space)


def test_a_method_that_keeps_the_smallest_weights_is_told():
    with pytest.raises(AssertionError, match="the hardened mask keeps weights of size"):
        check_method(Smallest())
