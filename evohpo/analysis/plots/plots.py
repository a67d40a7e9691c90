"""All plots of a study under one name; each is drawn in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from evohpo.study.study import Study
    from evohpo.trials.trial import Trial


class Plots:
    """The plots of a study, finished or running, whatever optimizer made its trials: `study.plot.history()` and so on.

    Each method returns a plotly figure: it shows itself in a notebook, `.show()` opens it in a browser, `.write_html(path)`
    and `.to_json()` keep it. It is a function of the trials and the study's seed alone. In every plot blue circles are
    completed trials, orange triangles those that were stopped early, red crosses failed ones, and hollow markers those that
    miss a constraint; what is best so far is black. The pointer on a trial shows its number, status, metrics and parameters.
    Parameters with a log scale have a log axis.

    All methods raise `UsageError` with the reason when there is nothing to draw, and `UnknownName` for a metric that no
    trial carries or a parameter that is not searched. `metric` is any metric that trials carry, if None the first objective.

    Args:
        study: the study.

    Example:
        >>> import evohpo as eh
        >>> study = eh.tune(lambda p: p["x"] ** 2, {"x": eh.Continuous(-1, 1)}, minimize="loss", trials=9, progress=False)
        >>> Plots(study).history().layout.title.text
        'Progress of loss'
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def history(self, metric: str | None = None) -> Figure:
        """Draw every trial in its order, and the best so far.

        The black line falls (rises, if the metric is maximized) with each feasible trial that beats all before it; long flat
        parts are stagnation. Trials without a value, such as failed ones, stand at the foot.

        Args:
            metric: None shows all objectives, a panel each.
        """
        from evohpo.analysis.plots.history import history

        return history(self._study, metric)

    def generations(self, metric: str | None = None) -> Figure:
        """Draw how a metric is spread in each generation, its best and mean, and below how diverse the configurations are.

        A spread that moves as a whole is a search that learns; a diversity near 0 is one that has converged. Diversity is the
        mean distance of two configurations, in [0, 1]; about 0.33 is random search over numbers.
        """
        from evohpo.analysis.plots.generations import generations

        return generations(self._study, metric)

    def front(self, x: str | None = None, y: str | None = None) -> Figure:
        """Draw all trials in two objectives, coloured by their order, and the front that no trial beats.

        The staircase bounds what the front dominates. Hollow trials miss a constraint, and dashed lines are the bounds that
        constraints set to one of the two metrics. With more than two objectives every pair is drawn; members of the front are
        ringed, though in a pair alone they may seem beaten.

        Args:
            x: a metric for the horizontal axis; None takes the objectives in their order.
            y: a metric for the vertical axis.
        """
        from evohpo.analysis.plots.front import front

        return front(self._study, x, y)

    def hypervolume(self) -> Figure:
        """Draw the volume that the front dominates, up to each trial; it grows when a trial extends the front.

        It is measured from `study.reference`, which the line below the title names.
        """
        from evohpo.analysis.plots.hypervolume import hypervolume

        return hypervolume(self._study)

    def parallel(self, metric: str | None = None) -> Figure:
        """Draw a line a trial through all parameters and objectives; the darker, the better in the metric.

        Drag along an axis to keep only the lines through a range, drag an axis' name to move it. Trials to which a parameter
        does not apply pass its axis at "–". Of more than twelve parameters those are shown that matter most.
        """
        from evohpo.analysis.plots.parallel import parallel

        return parallel(self._study, metric)

    def slices(self, metric: str | None = None, parameters: Sequence[str] | None = None) -> Figure:
        """Draw the metric against one parameter at a time, a panel each, coloured by the order of trials.

        Where late trials crowd, the search has settled; a slope that all trials follow is an effect of that parameter.

        Args:
            metric: see the class.
            parameters: which; None takes all, of more than twelve those that matter most.
        """
        from evohpo.analysis.plots.slices import slices

        return slices(self._study, metric, parameters)

    def contour(self, a: str, b: str, metric: str | None = None) -> Figure:
        """Draw what a model of the trials predicts for two parameters together, and the trials that it has learned from.

        Far from all points the model guesses. White cells are configurations that do not exist.

        Args:
            a: the parameter of the horizontal axis.
            b: that of the vertical axis.
            metric: see the class.
        """
        from evohpo.analysis.plots.effects import contour

        return contour(self._study, a, b, metric)

    def effect(self, parameter: str, metric: str | None = None) -> Figure:
        """Draw how a metric changes with one parameter in the mean, as a model of the trials predicts, with a 95 % band.

        The band is what the model does not know about the mean, not how much single trials differ.

        Args:
            parameter: a searched parameter.
            metric: see the class.
        """
        from evohpo.analysis.plots.effects import effect

        return effect(self._study, parameter, metric)

    def interactions(self, metric: str | None = None) -> Figure:
        """Draw which pairs of parameters only together explain the metric; dark pairs are worth a `contour`."""
        from evohpo.analysis.plots.effects import interactions

        return interactions(self._study, metric)

    def importance(self, metric: str | None = None, method: str = "ped-anova") -> Figure:
        """Draw the share of each parameter in what makes trials good.

        Args:
            metric: see the class.
            method: "ped-anova" for getting among the best tenth, "permutation" for the metric as a whole.
        """
        from evohpo.analysis.plots.importance import importance

        return importance(self._study, metric, method)

    def cross_validation(self, metric: str | None = None) -> Figure:
        """Draw each trial as it was against what a model of the others predicts, with 95 % intervals.

        Points along the dashed line are predictions to rely on; a flat cloud is a model that has learned nothing, whose
        effects and importances mean little.
        """
        from evohpo.analysis.plots.validation import cross_validation

        return cross_validation(self._study, metric)

    def curves(self, metric: str | None = None) -> Figure:
        """Draw a line a trial over its steps; those stopped early end in an orange triangle, the best is black.

        Args:
            metric: a metric that trials report.
        """
        from evohpo.analysis.plots.curves import curves

        return curves(self._study, metric)

    def timeline(self) -> Figure:
        """Draw who worked when: a row a worker, a bar a trial; gaps are idle time. Of studies with a file alone."""
        from evohpo.analysis.plots.timeline import timeline

        return timeline(self._study)

    def lineage(self, trial: Trial | int | None = None) -> Figure:
        """Draw from which trials one descends, the oldest on top; lines are coloured by operator, points by fitness.

        Args:
            trial: a trial or its number; None takes the best one, with several objectives the knee of the front.
        """
        from evohpo.analysis.plots.lineage import lineage

        return lineage(self._study, trial)
