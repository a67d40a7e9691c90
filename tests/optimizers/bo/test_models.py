"""The mathematics of `bo`, against definitions, finite differences and simulation."""

import numpy as np
import pytest
from scipy import integrate, stats

import evohpo as eh
from evohpo.optimizers.bo.acquisition import log_feasibility, log_hypervolume, log_improvement
from evohpo.optimizers.bo.domain import Domain
from evohpo.optimizers.bo.gp import GaussianProcess, Likelihood, Parameters, fit
from evohpo.optimizers.bo.progress import milestones, usual_progress
from evohpo.optimizers.bo.warping import half_rank
from evohpo.optimizers.protocol import Problem, Results
from evohpo.testing.problems import mixed


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def domain_of(space, **more):
    codec = eh.Real().bind(space)
    return Domain(Problem(codec.dim, codec.genes, space=space, encoding=codec, **more))


# ---- coordinates


def test_canonical_rows_are_equal_exactly_where_configurations_are(rng):
    space = mixed()
    domain = domain_of(space)
    X = domain.canonical(rng.random((400, domain.dim)))
    codec = eh.Real().bind(space)
    assert codec.decode(X) == codec.decode(domain.canonical(X))
    few = eh.Space(
        {"a": eh.Integer(1, 3, scale="log"), "b": eh.Categorical([1, 2]), "c": eh.Integer(1, 2, when={"b": 1})}
    )
    domain, codec = domain_of(few), eh.Real().bind(few)
    U = rng.random((300, 3))
    rows, configs = domain.canonical(U), codec.decode(U)
    assert codec.decode(rows) == configs
    assert len({row.tobytes() for row in rows}) == len({repr(c) for c in configs}) == 9


def test_two_choices_are_as_far_apart_as_the_ends_of_a_scale():
    domain = domain_of(eh.Space({"x": eh.Continuous(0, 1), "c": eh.Categorical(["r", "g", "b"])}))
    A = domain.coordinates(domain.canonical(np.array([[0, 0.1], [1, 0.1], [0, 0.5], [0, 0.9]])))
    assert np.linalg.norm(A[0] - A[1:], axis=1) == pytest.approx([1, 1, 1])


def test_what_does_not_apply_makes_no_difference(rng):
    domain = domain_of(eh.Space({"m": eh.Categorical(["a", "b"]), "x": eh.Continuous(0, 1, when={"m": "a"})}))
    X = rng.random((20, 2))
    X[:, 0] = 0.9
    assert np.ptp(domain.coordinates(domain.canonical(X)), axis=0).max() == 0


# ---- results on the way


def test_usual_progress_is_what_steps_bring_although_only_the_best_go_on(rng):
    X, final = rng.random((90, 2)), rng.normal(0, 5, 90)
    by = np.argsort(final)
    rows = np.concatenate([by, by[:30], by[:10]])
    steps = np.repeat([1, 3, 9], [90, 30, 10])
    F = np.stack([final[rows] + 8 / steps, 100 - 2 * steps], 1)
    expected = np.stack([8 / steps - 8, 2 - 2 * steps], 1)
    assert usual_progress(X[rows], steps, F) == pytest.approx(expected)
    steps[-1] = 0  # a result without steps is from the end
    assert usual_progress(X[rows], steps, F) == pytest.approx(expected)


def test_of_a_curve_there_is_a_result_for_every_doubling_of_steps():
    # a trial that reports each step, and one at rungs that ends at its last
    steps = np.array([*range(1, 53), 1, 3, 9, 9])
    n, trials = len(steps), np.repeat([0, 1], [52, 4])
    told = Results(np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n), steps, np.zeros(n, bool), trials, trials=trials)
    kept = milestones(told)
    assert steps[kept].tolist() == [1, 3, 7, 15, 31, 52, 1, 3, 9]


# ---- the process


@pytest.mark.parametrize("stretched", [False, True])
def test_the_gradient_of_the_likelihood_is_that_of_finite_differences(rng, stretched):
    domain = domain_of(mixed(), max_steps=9)
    layout = Parameters(domain, stretched)
    features = domain.coordinates(domain.canonical(rng.random((40, domain.dim))), rng.random(40))
    likelihood = Likelihood(layout, features, rng.standard_normal(40))
    theta = layout.prior.mean + 0.3 * rng.standard_normal(len(layout.prior.mean))
    _, gradient = likelihood(theta)
    steps = 1e-5 * np.eye(len(theta))
    differences = [(likelihood(theta + h)[0] - likelihood(theta - h)[0]) / 2e-5 for h in steps]
    assert gradient == pytest.approx(differences, rel=1e-5, abs=1e-5)


def test_the_likelihood_is_that_of_a_normal_distribution(rng):
    domain = domain_of(eh.Space({"x": eh.Continuous(0, 1), "y": eh.Continuous(0, 1)}))
    layout = Parameters(domain, stretched=False)
    X, z = rng.random((15, 2)), rng.standard_normal(15)

    def density(theta):
        r = np.sqrt(5 * (((X[:, None] - X) / np.exp(theta[:2])) ** 2).sum(2))
        K = np.exp(theta[2]) * (1 + r + r**2 / 3) * np.exp(-r) + 1 + (np.exp(theta[3]) + 1e-6) * np.eye(15)
        prior = stats.norm.logpdf(theta, layout.prior.mean, layout.prior.std).sum()
        return stats.multivariate_normal.logpdf(z, np.zeros(15), K) + prior

    likelihood, a, b = Likelihood(layout, X, z), np.array([-1.0, 0.2, 0.5, -3.0]), np.array([0.3, -0.5, -1.0, -2.0])
    assert likelihood(a)[0] - likelihood(b)[0] == pytest.approx(density(b) - density(a))


def test_a_fitted_process_finds_out_which_gene_matters_and_predicts(rng):
    domain = domain_of(eh.Space({f"x{i}": eh.Continuous(0, 1) for i in range(3)}))
    layout = Parameters(domain, stretched=True)

    def f(X):
        return np.sin(5 * X[:, 0])

    X, new = rng.random((40, 3)), rng.random((200, 3))
    theta = fit(layout, X, f(X), [layout.prior.mean], 40)
    process = GaussianProcess(layout, theta, X, f(X))
    assert theta[0] < theta[1:3].min() - 0.5
    mean, std = process.predict(new)
    assert np.abs(mean - f(new)).max() < 0.1
    assert np.mean(np.abs(mean - f(new)) < 3 * std) > 0.95
    assert process.predict(X)[1].max() < std.mean()


def test_fantasies_leave_the_mean_and_take_doubt_away(rng):
    domain = domain_of(eh.Space({"x": eh.Continuous(0, 1)}))
    layout = Parameters(domain, stretched=False)
    X = 0.3 * rng.random((6, 1))
    process = GaussianProcess(layout, layout.prior.mean, X, np.sin(6 * X[:, 0]))
    new = np.linspace(0, 1, 50)[:, None]
    before, after = process.predict(new), process.with_fantasies(np.array([[1.0]])).predict(new)
    assert after[0] == pytest.approx(before[0], abs=1e-4)
    assert (after[1] <= before[1] + 1e-9).all()
    assert after[1][-1] < before[1][-1] / 4


# ---- losses and promises


def test_half_rank_keeps_the_order_and_the_better_half():
    y = np.array([3.0, 1.0, 2.0, 1e9, 5.0, 1e4, 4.0])
    z = half_rank(y, y)
    assert (np.argsort(z) == np.argsort(y)).all()
    assert np.diff(z[[1, 2, 0, 6]]) == pytest.approx([z[2] - z[1]] * 3)
    assert z.max() < 3


def test_many_results_near_the_optimum_do_not_enlarge_their_differences(rng):
    first, near = rng.random(20), 1e-3 * rng.random(80)
    y = np.concatenate([first, near])
    usual, own = half_rank(y, first), half_rank(y, y)
    assert np.ptp(usual[20:]) < np.ptp(own[20:]) / 10


def test_equal_losses_stay_equal():
    assert (half_rank(np.ones(5), np.ones(5)) == 0).all()
    z = half_rank(np.array([1.0, 1.0, 1.0, 0.5, 2.0]), np.ones(5))
    assert z[3] < z[0] == z[1] < z[4]


@pytest.mark.parametrize("u", [3.0, 0.5, -0.5, -1.0, -3.0, -8.0])
def test_log_improvement_is_the_logarithm_of_the_integral(u):
    best = 2.0
    mean, std = best - u * 0.5, 0.5
    low = best - 12 * std if u > -5 else best - 3 * std
    integral, _ = integrate.quad(lambda y: (best - y) * stats.norm.pdf(y, mean, std), low, best, epsabs=0, limit=200)
    assert log_improvement(np.array([mean]), np.array([std]), best)[0] == pytest.approx(np.log(integral), rel=1e-6)


def test_log_improvement_falls_steadily_where_improvement_underflows():
    values = log_improvement(np.linspace(0, 1e6, 2001), np.ones(2001), 0.0)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_log_feasibility_is_the_probability_to_be_below_zero():
    assert np.exp(log_feasibility(np.array([-1.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0]))) == pytest.approx(
        stats.norm.cdf([1.0, 0.0, -1.0])
    )


def test_log_hypervolume_orders_points_as_simulation_does(rng):
    front, reference = np.array([[0.2, 0.8], [0.5, 0.4], [0.9, 0.1]]), np.array([1.0, 1.0])
    mean, std = rng.random((12, 2)), rng.uniform(0.1, 0.3, (12, 2))
    angles = (np.arange(200) + 0.5) / 200 * np.pi / 2
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    got = np.exp(log_hypervolume(mean, std, front, reference, directions))

    def volume(points):
        points = points[np.argsort(points[:, 0])]
        steps = np.diff(np.append(points[:, 0].clip(max=1), 1.0))
        return (steps * (1 - np.minimum.accumulate(points[:, 1].clip(max=1)))).sum()

    simulated = [
        np.mean([volume(np.vstack([front, y])) - volume(front) for y in m + s * rng.standard_normal((4000, 2))])
        for m, s in zip(mean, std, strict=True)
    ]
    assert np.corrcoef(got, simulated)[0, 1] > 0.999
    assert got / got.sum() == pytest.approx(np.array(simulated) / sum(simulated), rel=0.2, abs=0.003)
