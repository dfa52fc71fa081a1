"""MaskPruner: a network with most of its weights exactly zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..constraints import Constraint
from ..masks import (
    SCOPES,
    UNITS,
    Granularity,
    MaskLayout,
    Measure,
    Selectors,
    build_quota,
    network_measure,
    prunable_parameters,
    resolve_granularity,
)
from ..methods import PRESETS, Method
from ..training import (
    Course,
    MaskedFit,
    MaskingOptions,
    first_rows,
    fit_masked,
    run_label,
)
from ..utils import RandomStream
from ..utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from ._check_pruner import check_problem, check_settings, wanted_sparsity
from ._exported_network import N_EXAMPLES, ExportedNetwork
from ._first_stage import (
    check_same_task,
    network_within,
    take_weights,
    trained_before,
)
from ._network_estimator import NetworkEstimator, Rows
from ._pruner_runs import check_same_run, open_run_file, run_settings


class MaskPruner(NetworkEstimator, ExportedNetwork):
    """Train a network while a method chooses which of its weights stay.

    Parameters
    ----------
    estimator : skorch net, torch.nn.Module (instance or class), None or a frozen \
estimator, default=None
        The network. A skorch net (classifier or regressor) brings its own training
        settings; a bare module is trained as a classifier with Adam (60 epochs,
        batches of 64); None is a small network with one hidden layer. What is given is
        cloned, so that a fitted skorch net starts afresh, unless it comes in a
        `sklearn.frozen.FrozenEstimator`: then it starts from the weights that it has.
    method : str or Method, default="continuous"
        How the mask is found: "continuous", "gmp", "magnitude", "loorf", "arms",
        "straight-through", "reinforce", or an object of `sklearn_pb.methods`.
    sparsity : float or mapping of str to float, default=None
        Fraction that ends exactly zero: round(sparsity x d) of d variables. A mapping
        gives it by layer, for shell patterns of names; layers it does not name keep
        everything. None takes the constraint's own, if it has one, or else leaves it
        to the penalty (learned masks only).
    constraint : Constraint, default=None
        The price of a kept weight or a limit on the mask, an object of
        `sklearn_pb.constraints`. None takes the method's own, for most
        ``L0Penalty()``; with a sparsity, its price is steered so that the mask meets
        the target by itself before it is frozen.
    granularity : str or Granularity, default="weight"
        What a mask variable stands for: "weight", "block" (of 4 x 4 weights),
        "channel" (an output channel, neuron or hidden unit, with all that depends on
        it), "head" (of attention), a pattern such as "2:4", or an object of
        `sklearn_pb.masks`.
    scope : {"global", "layer", "erk"}, default="global"
        Whether all variables compete, each layer keeps the same share of them, or
        layers keep shares by the Erdős-Rényi-kernel rule.
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
    n_threads : int or None, default=1
        Threads of torch on the CPU. With a number, results are the same for every
        `n_jobs` around the estimator; None leaves torch's own setting, which joblib
        makes smaller in its workers. More than one is faster for large networks only.
    checkpoint : str or pathlib.Path, default=None
        A file that keeps the state of the run while `fit` goes. If it exists, `fit`
        goes on from it and ends with the same result, bit for bit, as a run that was
        never killed; from the file of a finished run it returns at once. The file of
        another run (settings, data or seed) is refused.
    checkpoint_every : "epoch" or float, default=60.0
        Seconds between two saves, also in the middle of an epoch (but not with
        accelerate); "epoch" saves at the end of each.
    callback : callable, default=None
        Called after each epoch with its record (see `history_`). If it raises
        StopIteration, the training ends, and the mask is frozen there.
    verbose : int, default=0
        1 prints a line an epoch, 2 also shows a bar within epochs. The `verbose` of a
        skorch net has no effect.

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
        One record an epoch: losses, phase, strength of the penalty, and the `sparsity`
        and `layer_sparsity` (a dict by layer) that the mask has or is heading for.
    method_ : Method
        The method that ran.
    report_ : Report
        Non-zeros, bytes, multiply-adds and latency, layer by layer: print it.
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

    Warns
    -----
    SparsityWarning
        In `fit`, when the search ends far from its target, or keeps nothing.
    UserWarning
        In `fit`, when `estimator` is a bare net that is fitted: its weights are lost.

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

    _shorthands = {"method": PRESETS}
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
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "checkpoint": [str, Path, None],
        "checkpoint_every": [
            StrOptions({"epoch"}),
            Interval(Real, 0, None, closed="left"),
        ],
        "callback": [callable, None],
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
        n_threads: int | None = 1,
        checkpoint: str | Path | None = None,
        checkpoint_every: float | str = 60.0,
        callback: Callable[[dict[str, Any]], object] | None = None,
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
        self.n_threads = n_threads
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.callback = callback
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
        self.method_ = check_settings(self)
        self.__dict__.pop("_paused", None)  # of an earlier run
        rows = self._check_rows(X, y, sample_weight)
        stream = RandomStream.from_random_state(self.random_state)
        file = open_run_file(self, self.method_, rows, stream)
        if file is not None:
            stream = RandomStream(file.seed)
        net = self._begin(rows, stream)
        if file is not None:
            file = file.begun_with(net.module_)
        self._train(net, rows, stream, self._course(file=file))
        if self._error is not None:
            raise self._error
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> MaskPruner:
        """Train for one epoch on some data, in a run that goes on from call to call.

        The first call begins the run. Its phases are planned over the `max_epochs` of
        the net: as many calls with the same data are a call of `fit`, and further ones
        go on with the fine-tuning. After a call of `fit`, they fine-tune what it has
        found.

        After each call the estimator is what it would be if the run ended there: its
        weights are masked, to the wanted sparsity once the search has begun. The next
        call takes the weights up as they were.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs, of the same kind in all calls; their number may change.
        y : array-like of shape (n,)
            Labels, or values for a regressor.
        classes : array-like of shape (n_classes,), default=None
            All labels there will ever be. None takes those of the first call.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss.

        Returns
        -------
        self : MaskPruner
            The estimator; it can be pickled at this point and train on elsewhere.
        """
        method = check_settings(self)
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} is for fit; it must be None for "
                "partial_fit, between whose calls the estimator can be pickled."
            )
        label = run_label(run_settings(self, method), self.estimator, {})
        paused = getattr(self, "_paused", None)
        rows = self._check_rows(
            X, y, sample_weight, classes=classes, first=paused is None
        )
        if paused is None:
            stream = RandomStream.from_random_state(self.random_state)
            net = self._begin(rows, stream)
        else:
            check_same_run(paused.get("label", label), label)
            stream, net = RandomStream(paused["seed"]), self.estimator_
        self.method_ = method
        self._train(net, rows, stream, self._course(paused=paused, epochs=1))
        self._paused["label"] = label
        if self._error is not None:
            raise self._error
        return self

    @property
    def _network(self) -> Any:
        frozen = isinstance(self.estimator, FrozenEstimator)
        return network_within(self.estimator) if frozen else self.estimator

    def _begin(self, rows: Rows, stream: RandomStream) -> Any:
        trained = trained_before(self.estimator)
        net = super()._begin(rows, stream)
        if trained is not None:
            check_same_task(trained, self)
            take_weights(net.module_, trained)
        return net

    def _course(self, **changes: Any) -> Course:
        return Course(hook=self.callback, verbose=int(self.verbose), **changes)

    def _fit_network(
        self, net: Any, rows: Rows, stream: RandomStream, course: Course
    ) -> None:
        module = net.module_
        granularity = resolve_granularity(self.granularity)
        names = prunable_parameters(module, self.include, self.exclude)
        example = first_rows(module, rows.X)
        layout = granularity.layout(module, names, example)
        measure = network_measure(self.count, module, layout, example)
        quota = build_quota(
            layout,
            granularity,
            sparsity=wanted_sparsity(self),
            scope=self.scope,
            measure=measure,
        )
        check_problem(self, layout, quota)
        options = MaskingOptions(
            method=self.method_,
            quota=quota,
            constraint=self.constraint,
            train_weights=self.train_weights,
            warmup=self.warmup,
            finetune=self.finetune,
            rescale=self.rescale,
        )
        fit = fit_masked(
            net, layout, rows.X, rows.y, options, stream, rows.sample_weight, course
        )
        self._keep(fit, layout, measure)
        self._examples = rows.X[:N_EXAMPLES].copy()
        self._paused = {**fit.paused, "seed": stream.seed}

    def _keep(
        self, fit: MaskedFit, layout: MaskLayout, measure: Measure | None
    ) -> None:
        """Set the attributes that say what was found."""
        self.masks_ = fit.masks
        self.layer_sparsity_ = layout.layer_sparsity(fit.variables)
        if measure is None:
            self.sparsity_ = 1 - int(fit.variables.sum()) / layout.n_variables
        else:
            self.sparsity_ = 1 - measure(fit.variables) / measure.full
        self.history_ = fit.history
        self._error = fit.error
        self._report = None

    @property
    def _structured(self) -> bool:
        return resolve_granularity(self.granularity).structured
