"""SparseTicketFinder: subnetworks that train as well alone as the whole network."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..masks import (
    Granularity,
    MaskLayout,
    Selectors,
    prunable_parameters,
    resolve_granularity,
)
from ..tickets import (
    SEARCHES,
    SELECTIONS,
    Found,
    JobFiles,
    TicketReport,
    TicketSearch,
    TicketTask,
    find_sparsest_matching,
    find_tickets,
    preference,
)
from ..training import first_rows
from ..utils import RandomStream
from ..utils._sklearn import Interval, StrOptions, fit_context
from ._check_finder import check_finder, check_task
from ._finder_runs import open_job_files
from ._held_rows import HeldRows, given_rows, put_aside
from ._network_estimator import NetworkEstimator, Rows
from ._transferred_ticket import TransferredTicket

_SPLIT = 1 << 40  # address that no seed has


@dataclass(frozen=True)
class _Plan:
    """What `fit` hands on to the search."""

    search: TicketSearch
    held: HeldRows
    files: JobFiles | None
    stream: RandomStream


class SparseTicketFinder(NetworkEstimator, TransferredTicket):
    """Search for winning tickets: sparse subnetworks that train from (nearly) scratch.

    A search trains the network in rounds, each of which gives a ticket: a mask, to be
    put on weights that were stored early in training. Every ticket is then trained
    alone from these weights, and judged on rows that training has not seen, beside the
    dense network, which is trained in the same way.

    Parameters
    ----------
    estimator : skorch net, torch.nn.Module (instance or class) or None, default=None
        The network, as of `MaskPruner`. A class starts from other weights for each
        seed, an instance always from its own. Optimizer and learning rate schedule
        begin anew in each round.
    search : str or TicketSearch, default="continuous"
        What happens in and between rounds: "continuous", "imp", "imp-continued",
        "stochastic", "sequential", "random", or an object of `sklearn_pb.tickets`.
    n_rounds : int, default=5
        Number of rounds, each of them a whole training of the network.
    rewind_epoch : int, default=0
        The stored weights are those after so many epochs of the first round; 0 is the
        initialisation.
    rewind_step : int, default=None
        The same in training steps, in place of epochs.
    prune_rate : float, default=0.2
        Share of the weights left that a round removes: round(d (1 - rate)^r) of d are
        left after round r. For the searches that remove so many: "imp",
        "imp-continued", "sequential", "random".
    select : {"sparsest-matching", "best", "last"}, default="sparsest-matching"
        Which ticket is taken: the sparsest that scores no worse than the dense network
        of its seed (the best if there is none), the one that scores best, or the best
        of the last round.
    scoring : str or callable, default=None
        What tickets are judged by, as in scikit-learn; None is the accuracy, or R^2
        for a regressor.
    validation : float or int, default=0.2
        Fraction or number of rows that are put aside to judge on, of each class its
        share. Not used where `fit` is given rows for that.
    controls : sequence of {"fresh", "reshuffled"}, default=()
        What is trained beside each ticket: its mask with fresh weights, or its weights
        with a random mask that is as dense in each layer.
    n_seeds : int, default=1
        Repetitions, each with its own initial weights, batches and dense network.
    granularity : str or Granularity, default="weight"
        What a mask variable stands for, as of `MaskPruner`.
    scope : {"global", "layer"}, default="global"
        Whether the prune rate is that of all weights together or of each layer.
    include, exclude : str, nn.Module class, or list of them, default=None
        What may be masked, as of `MaskPruner`.
    random_state : int, RandomState or None, default=None
        Seed of everything. Torch's global seed is neither used nor changed.
    n_jobs : int, default=None
        Trainings at the same time, as in joblib: the dense network and the runs of all
        seeds first, then the retraining of all tickets. The results are the same for
        any number and backend, to the last bit if torch has as many threads in each
        worker (it is given one for networks of up to 50,000 parameters).
    checkpoint : str or pathlib.Path, default=None
        A folder that keeps the state of all trainings while `fit` goes. If it is there,
        `fit` goes on from it and finds the same tickets, bit for bit, as one that was
        never stopped. The folder of another search is refused.
    checkpoint_every : float, default=60.0
        Seconds between two saves of a training.
    device : str, default="auto"
        Where to train, as of `MaskPruner`.
    n_threads : int or None, default=1
        Threads of torch on the CPU. With a number, results are the same for every
        `n_jobs` around the estimator; None leaves torch's own setting, which joblib
        makes smaller in its workers. More than one is faster for large networks only.
    verbose : int, default=0
        1 prints a line a training, 2 a line an epoch, too.

    Attributes
    ----------
    tickets_ : list of Ticket
        By run, seed and round: masks, stored weights, score after retraining, epochs.
    dense_score_ : float
        Score of the dense network, on average over the seeds.
    dense_scores_ : list of float
        The same by seed.
    sparsest_matching_ : Ticket or None
        The sparsest ticket that scores no worse than the dense network of its seed.
    best_ : Ticket
        The ticket with the highest score.
    ticket_ : Ticket
        The one that was taken.
    estimator_ : skorch net
        That ticket, retrained; what predicts.
    masks_ : dict of str to torch.Tensor
        Its masks (True is kept), by parameter name.
    sparsity_ : float
        Fraction of its mask variables that are zero.
    layer_sparsity_ : dict of str to float
        The same by layer.
    n_epochs_ : dict of str to int
        Epochs of training that were spent, by "dense", "search", "retraining" and
        "controls".
    report_ : TicketReport
        What was found, in one sentence and a table: print it.
    search_ : TicketSearch
        The search that ran.
    classes_ : numpy.ndarray of shape (n_classes,)
        The labels, for a classifier.
    n_features_in_ : int
        Size of the second axis of the inputs of `fit`.
    feature_names_in_ : numpy.ndarray of shape (n_features,)
        Names of the columns, where the inputs of `fit` had any.

    Raises
    ------
    NonFiniteLossError
        In `fit`, when a loss becomes NaN or infinite.
    NothingToPruneError
        In `fit`, when `include` and `exclude` leave nothing.

    See Also
    --------
    MaskPruner : One sparse network, without asking what it would be from scratch.
    sklearn_pb.tickets : The searches, with their hyperparameters.

    Notes
    -----
    Savarese (2025), chapter 4. `fit` trains 1 + 2 `n_rounds` networks, times the
    seeds, times the runs of a search with several.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_pb import SparseTicketFinder
    >>> X, y = load_iris(return_X_y=True)
    >>> finder = SparseTicketFinder(
    ...     search="imp", n_rounds=2, select="best", random_state=0
    ... ).fit(X, y)
    >>> [round(ticket.sparsity, 2) for ticket in finder.tickets_]
    [0.2, 0.36]
    """

    _shorthands = {"search": SEARCHES}
    _parameter_constraints: dict = {
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "rewind_epoch": [Interval(Integral, 0, None, closed="left")],
        "rewind_step": [Interval(Integral, 0, None, closed="left"), None],
        "prune_rate": [Interval(Real, 0, 1, closed="neither")],
        "select": [StrOptions(set(SELECTIONS))],
        "scoring": [str, callable, None],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "granularity": [str, Granularity],
        "scope": [StrOptions({"global", "layer"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "checkpoint": [str, Path, None],
        "checkpoint_every": [Interval(Real, 0, None, closed="left")],
        "device": [str],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        search: str | TicketSearch = "continuous",
        n_rounds: int = 5,
        rewind_epoch: int = 0,
        rewind_step: int | None = None,
        prune_rate: float = 0.2,
        select: str = "sparsest-matching",
        scoring: Any = None,
        validation: float | int = 0.2,
        controls: Sequence[str] = (),
        n_seeds: int = 1,
        granularity: str | Granularity = "weight",
        scope: str = "global",
        include: Selectors = None,
        exclude: Selectors = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: float = 60.0,
        device: str = "auto",
        n_threads: int | None = 1,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.search = search
        self.n_rounds = n_rounds
        self.rewind_epoch = rewind_epoch
        self.rewind_step = rewind_step
        self.prune_rate = prune_rate
        self.select = select
        self.scoring = scoring
        self.validation = validation
        self.controls = controls
        self.n_seeds = n_seeds
        self.granularity = granularity
        self.scope = scope
        self.include = include
        self.exclude = exclude
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> SparseTicketFinder:
        """Search for tickets, retrain them, and take one.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Inputs; floats become float32.
        y : array-like of shape (n,)
            Labels, or values for a regressor.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows in the loss; scores do without.
        X_val, y_val : array-like, default=None
            What tickets are judged on, with labels of `y` or values. None puts rows of
            `X` and `y` aside.

        Returns
        -------
        self : SparseTicketFinder
            The fitted estimator.
        """
        self.search_ = check_finder(self)
        rows = self._check_rows(X, y, sample_weight)
        stream = RandomStream.from_random_state(self.random_state)
        data = {"X": rows.X, "y": rows.y, "sample_weight": rows.sample_weight}
        if X_val is None and y_val is None:
            files, stream = open_job_files(self, self.search_, data, stream)
            rows, X_val, y_val = put_aside(self, rows, stream.child(_SPLIT))
        else:
            X_val, y_val = given_rows(self, rows, X_val, y_val)
            data |= {"X_val": X_val, "y_val": y_val}
            files, stream = open_job_files(self, self.search_, data, stream)
        held = HeldRows.of(self, X_val, y_val)
        net = self._begin(rows, stream.child(0, 0))
        self._train(net, rows, stream, _Plan(self.search_, held, files, stream))
        if self.select == "sparsest-matching" and self.sparsest_matching_ is None:
            warnings.warn(
                "no ticket scores as well as the dense network of its seed; the best "
                "one is taken.",
                UserWarning,
                stacklevel=3,
            )
        return self

    def _fit_network(
        self, net: Any, rows: Rows, stream: RandomStream, course: _Plan
    ) -> None:
        module = net.module_
        granularity = resolve_granularity(self.granularity)
        names = prunable_parameters(module, self.include, self.exclude)
        layout = granularity.layout(module, names, first_rows(module, rows.X))
        check_task(self, course.search, net, layout, rows.X, rows.y)
        found = find_tickets(
            self._task(rows, layout, granularity.structured, course),
            course.search,
            n_seeds=self.n_seeds,
            controls=list(dict.fromkeys(self.controls)),
            select=self.select,
            n_jobs=self.n_jobs,
        )
        module.load_state_dict(found.weights)
        net.history[:] = found.history
        self._seed = course.stream.seed
        self._keep(found)

    def _task(
        self, rows: Rows, layout: MaskLayout, structured: bool, plan: _Plan
    ) -> TicketTask:
        return TicketTask(
            estimator=self.estimator,
            device=self.device,
            n_threads=self.n_threads,
            X=rows.X,
            y=rows.y,
            sample_weight=rows.sample_weight,
            n_outputs=rows.n_outputs,
            layout=layout,
            structured=structured,
            scope=self.scope,
            n_rounds=self.n_rounds,
            prune_rate=self.prune_rate,
            rewind_epoch=self.rewind_epoch,
            rewind_step=self.rewind_step or 0,
            score=plan.held,
            stream=plan.stream,
            files=plan.files,
            verbose=int(self.verbose),
        )

    def _keep(self, found: Found) -> None:
        """Set the attributes that say what was found."""
        self.tickets_ = found.tickets
        self.dense_scores_ = found.dense_scores
        self.dense_score_ = float(np.mean(found.dense_scores))
        self.sparsest_matching_ = find_sparsest_matching(
            found.tickets, found.dense_scores
        )
        self.best_ = max(found.tickets, key=preference("best", found.dense_scores))
        self.ticket_ = found.chosen
        self.masks_ = self.ticket_.masks
        self.sparsity_ = self.ticket_.sparsity
        self.layer_sparsity_ = self.ticket_.layer_sparsity
        self.n_epochs_ = found.n_epochs
        self.report_ = TicketReport(
            self.tickets_,
            self.dense_scores_,
            self.sparsest_matching_,
            self.best_,
            self.ticket_,
        )
