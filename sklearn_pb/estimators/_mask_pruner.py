"""MaskPruner: a network with most of its weights exactly zero."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch

from ..constraints import Constraint
from ..masks import (
    SCOPES,
    UNITS,
    Granularity,
    MaskLayout,
    Measure,
    NofM,
    Selectors,
    build_quota,
    check_sparsity,
    network_measure,
    prunable_parameters,
    resolve_granularity,
)
from ..methods import PRESETS, Method, resolve_method
from ..training import MaskedFit, MaskingOptions, fit_masked
from ..utils import RandomStream
from ..utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from ._network_estimator import NetworkEstimator


class MaskPruner(NetworkEstimator):
    """Train a network while a method chooses which of its weights stay.

    Parameters
    ----------
    estimator : skorch net, torch.nn.Module (instance or class) or None, default=None
        The network. A skorch net (classifier or regressor) brings its own training
        settings; a bare module is trained as a classifier with Adam (60 epochs,
        batches of 64); None is a small network with one hidden layer. What is given is
        not changed.
    method : str or Method, default="continuous"
        How the mask is found: "continuous", "gmp", "magnitude", "loorf", "arms",
        "straight-through", "reinforce", or an object of `sklearn_pb.methods`.
    sparsity : float or mapping of str to float, default=None
        Fraction that ends exactly zero: round(sparsity x d) of d variables. A mapping
        gives it by layer, for shell patterns of names; layers it does not name keep
        everything. None leaves it to the penalty (learned masks only).
    constraint : Constraint, default=None
        The price of a kept weight or a limit on the mask, an object of
        `sklearn_pb.constraints`. None takes the method's own, for most
        ``L0Penalty()``; with a sparsity, its price is steered so that the mask meets
        the target by itself before it is frozen.
    granularity : str or Granularity, default="weight"
        What a mask variable stands for: "weight", "block" (of 4 x 4 weights),
        "channel" (an output channel or neuron, with all that depends on it), "head"
        (of attention), a pattern such as "2:4", or an object of `sklearn_pb.masks`.
    scope : {"global", "layer", "erk"}, default="global"
        Whether all variables compete, each layer keeps the same share, or layers keep
        shares by the Erdős-Rényi-kernel rule.
    count : {"units", "parameters", "macs"}, default="units"
        What `sparsity` is a fraction of: the mask variables, the parameters of the
        network, or its multiply-adds. Of the latter two at least that share goes, and
        the next variable would not fit.
    include, exclude : str, nn.Module class, or list of them, default=None
        Shell patterns for parameter or module names, or module classes. By default all
        parameters with two or more axes are pruned.
    train_weights : bool, default=True
        False freezes the network and learns the mask alone (a supermask); the whole
        training is then search, without `warmup` and `finetune`.
    warmup : float, default=0.0
        Fraction of the training steps before the search, without a mask.
    finetune : float, default=0.2
        Fraction of the training steps after the mask is frozen.
    rescale : bool, default=False
        Divide each layer's weights by the mean of its mask.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches, dropout and masks. Torch's global seed is
        neither used nor changed.
    device : str, default="auto"
        Where to train; "auto" is the net's own device, or CUDA where there is one for
        a bare module.
    verbose : int, default=0
        1 prints the table of epochs.

    Attributes
    ----------
    estimator_ : skorch net
        The trained net around the network's own class, zeros baked in.
    masks_ : dict of str to torch.Tensor
        Boolean masks (True is kept), by parameter name.
    sparsity_ : float
        Fraction of zeros, in the unit of `count`.
    layer_sparsity_ : dict of str to float
        Fraction of zero variables of each layer.
    history_ : list of dict
        One record an epoch: losses, phase, sparsity and strength of the penalty.
    method_ : Method
        The method that ran.
    classes_ : numpy.ndarray of shape (n_classes,)
        The labels, for a classifier.
    n_features_in_ : int
        Size of the second axis of the inputs of `fit`.
    feature_names_in_ : numpy.ndarray of shape (n_features,)
        Names of the columns, where the inputs of `fit` had any.

    Raises
    ------
    NonFiniteLossError
        In `fit`, when the loss becomes NaN or infinite. The estimator then holds the
        last good state and predicts.
    NothingToPruneError
        In `fit`, when `include` and `exclude` leave nothing.

    See Also
    --------
    PBMinimizer : The same methods for any function of binary variables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_pb import MaskPruner
    >>> X, y = load_digits(return_X_y=True)
    >>> pruner = MaskPruner(sparsity=0.9, random_state=0).fit(X / 16, y)
    >>> round(pruner.sparsity_, 3)
    0.9
    >>> pruner.score(X / 16, y) > 0.95
    True
    """

    _parameter_constraints: dict = {
        "method": [str, HasMethods(["check", "start"])],
        "sparsity": [Interval(Real, 0, 1, closed="left"), Mapping, None],
        "constraint": [HasMethods(["start"]), None],
        "granularity": [str, Granularity],
        "scope": [StrOptions(set(SCOPES))],
        "count": [StrOptions(set(UNITS))],
        "train_weights": ["boolean"],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "finetune": [Interval(Real, 0, 1, closed="left")],
        "rescale": ["boolean"],
        "random_state": ["random_state"],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        method: str | Method = "continuous",
        sparsity: float | Mapping[str, float] | None = None,
        constraint: Constraint | None = None,
        granularity: str | Granularity = "weight",
        scope: str = "global",
        count: str = "units",
        include: Selectors = None,
        exclude: Selectors = None,
        train_weights: bool = True,
        warmup: float = 0.0,
        finetune: float = 0.2,
        rescale: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.sparsity = sparsity
        self.constraint = constraint
        self.granularity = granularity
        self.scope = scope
        self.count = count
        self.include = include
        self.exclude = exclude
        self.train_weights = train_weights
        self.warmup = warmup
        self.finetune = finetune
        self.rescale = rescale
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MaskPruner:
        """Train the network and its mask.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs; floats become float32.
        y : array-like of shape (n,)
            Labels, or values for a regressor.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        self : MaskPruner
            The fitted estimator.
        """
        self.method_ = self._check_method()
        self._fit(X, y, sample_weight)
        if self._error is not None:
            raise self._error
        return self

    def _check_method(self) -> Method:
        method = resolve_method(self.method)
        if not method.fits_networks:
            fitting = sorted(name for name in PRESETS if PRESETS[name]().fits_networks)
            reason = "enumerates all masks"
            if method.needs_relaxable:
                reason = "needs the slope of the loss at several masks of one batch"
            raise ValueError(
                f"method={self.method!r} cannot mask a network in training: it "
                f"{reason}. Use one of {', '.join(map(repr, fitting))}."
            )
        granularity = resolve_granularity(self.granularity)
        check_sparsity(self.sparsity)
        fixed = isinstance(granularity, NofM) or method.knows_count
        if method.knows_count and self.sparsity is not None:
            raise ValueError(
                f"sparsity={self.sparsity!r} has no effect with "
                f"{type(method).__name__}, which brings its own mask; it must be None."
            )
        if not method.learns and self.sparsity is None and not fixed:
            raise ValueError(
                f"method={self.method!r} does not learn how many weights to keep; "
                "sparsity=None must be a number in [0, 1)."
            )
        if not method.learns and self.constraint is not None:
            raise ValueError(
                f"constraint={self.constraint!r} has no effect with "
                f"method={self.method!r}, which learns no mask; it must be None."
            )
        if self.constraint is not None:
            self.constraint.check()
        if self.warmup + self.finetune >= 1:
            raise ValueError(
                f"warmup={self.warmup!r} and finetune={self.finetune!r} leave no part "
                "of the training to the search; their sum must be less than 1."
            )
        return method

    def _fit_network(
        self,
        net: Any,
        X: np.ndarray,
        y: np.ndarray,
        stream: RandomStream,
        sample_weight: np.ndarray | None,
    ) -> None:
        module = net.module_
        granularity = resolve_granularity(self.granularity)
        names = prunable_parameters(module, self.include, self.exclude)
        example = torch.as_tensor(X[:2]).to(net.device or "cpu")
        layout = granularity.layout(module, names, example)
        measure = network_measure(self.count, module, layout, example)
        if self.verbose:
            net.set_params(verbose=int(self.verbose))
        options = MaskingOptions(
            method=self.method_,
            quota=build_quota(
                layout,
                granularity,
                sparsity=self.sparsity,
                scope=self.scope,
                measure=measure,
            ),
            constraint=self.constraint,
            train_weights=self.train_weights,
            warmup=self.warmup,
            finetune=self.finetune,
            rescale=self.rescale,
        )
        fit = fit_masked(net, layout, X, y, options, stream, sample_weight)
        self._keep(fit, layout, measure)

    def _keep(
        self, fit: MaskedFit, layout: MaskLayout, measure: Measure | None
    ) -> None:
        """Set the attributes that say what was found."""
        self.masks_ = fit.masks
        layers = zip(
            layout.layer_names, fit.variables.split(layout.layers), strict=True
        )
        self.layer_sparsity_ = {
            name: 1 - float(part.double().mean()) for name, part in layers
        }
        if measure is None:
            self.sparsity_ = 1 - int(fit.variables.sum()) / layout.n_variables
        else:
            self.sparsity_ = 1 - measure(fit.variables) / measure.full
        self.history_ = fit.history
        self._error = fit.error
