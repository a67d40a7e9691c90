"""The notebooks run from top to bottom, without errors or warnings, and show what their texts say."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
PRIMER, DIGITS, OWN = "01_what_a_generation_is", "02_digits_eight_algorithms", "03_bring_your_own_algorithm"
STOPPING, SAGEMAKER, NETWORKS = "04_early_stopping", "06_sagemaker", "07_small_networks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # plotly needs one for still pictures
browser = pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium: apt-get install chromium")
LIMIT = 400_000  # bytes: what a code host still shows


def execute(name: str, folder: Path, **wanted: str) -> dict[str, Any]:
    """Run a copy of a notebook in `folder`; return the values of the `wanted` expressions at its end."""
    notebook = nbformat.read(next(path for path in NOTEBOOKS if path.stem == name), as_version=4)
    cells = len(notebook.cells)
    shutil.copytree(NOTEBOOKS[0].parent / "scripts", folder / "scripts")  # what lies beside the notebooks
    given = sorted(folder.rglob("*"))
    pairs = ", ".join(f"{key!r}: {expression}" for key, expression in wanted.items())
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({{{pairs}}}, default=float))"))
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert complaints(notebook) == []
    assert sorted(folder.rglob("*")) == given, "the notebook leaves files behind"
    return dict(json.loads(notebook.cells[cells].outputs[0].text))


def complaints(notebook: Any) -> list[str]:
    """Return what its cells wrote to standard error, and their errors."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [str(o) for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.fixture(scope="module")
def primer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return execute(
        PRIMER,
        tmp_path_factory.mktemp("primer"),
        mother="bits(mother)",
        child="binary.decode(child[None, :])[0]",
        means="ga.table().groupby('generation').loss.mean().tolist()",
        generations="ancestry.generation.tolist()",
        losses="{name: float(np.median(values)) for name, values in final.items()}",
        tempers="list(tempers.values())",
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return execute(
        OWN,
        tmp_path_factory.mktemp("own"),
        best="generator.best.metrics['accuracy']",
        forms="[s.table().accuracy.equals(generator.table().accuracy) for s in (as_class, as_function, two_workers)]",
        misspelt="misspelt",
        front="front[['cost', 'accuracy']].to_numpy().tolist()",
        failed="failed.layers.tolist()",
        completed="sum(table.status == 'completed')",
        momenta="asked[asked.solver == 'adam'].momentum.count()",
        resumed="resumed_is_the_same",
        broken="broken",
        live="{label: study.best.metrics['accuracy'] for label, study in guests.items()}",
        card="[card.passed, card.abilities['repeats itself']]",
        written="written",
        ran="ran",
        medians="medians",
    )


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return execute(
        STOPPING,
        tmp_path_factory.mktemp("stopping"),
        runs="runs.T.to_dict()",
        replayed="replayed.T.to_dict()",
        front="[[t.metrics['score'], t.metrics['training_time']] for t in study.front()]",
        stopped="int((table.status == 'stopped').sum())",
        matters="{metric: shares.to_dict() for metric, shares in matters.items()}",
        chosen="[chosen.number in [t.number for t in study.front()], study.trials[0].label]",
        pictures="len(study.plot.front().data)",
    )


@pytest.fixture(scope="module")
def sagemaker(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    studies = "{'random': random_jobs, 'ga': ga_jobs, 'pso': pso_jobs, 'paes': paes_jobs}"
    return execute(
        SAGEMAKER,
        tmp_path_factory.mktemp("sagemaker"),
        jobs=f"{{name: list(jobs) for name, jobs in {studies}.items()}}",
        starts=f"[[t.params for t in jobs.study.trials[:6]] for jobs in list({studies}.values())[1:]]",
        individuals=f"[len(jobs.study.trials) for jobs in {studies}.values()]",
        columns="list(evol_metrics.columns)",
        best_of_table="evol_metrics.objective.max()",
        best_of_study="ga_jobs.study.best.metrics['objective']",
        stopping="stopping.T.to_dict()",
        resumed="studies['ASHA that pauses'].table()['resumed'].tolist()",
        builtin="builtin.table().status.tolist()",
        warm="warm.table().label.tolist()",
        found="found.accuracy.to_dict()",
    )


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return execute(
        NETWORKS,
        tmp_path_factory.mktemp("networks"),
        status="table.status.tolist()",
        front="[[t.metrics['val_acc'], t.metrics['num_params']] for t in study.front()]",
        sizes="[[t.params['hidden_size_1'], t.params['hidden_size_2']] for t in study.trials]",
        r2="{metric: attrs['r2'] for metric, attrs in trust.items()}",
        colours="sorted(n for trace in study.plot.front().data if trace.mode == 'markers' for n in trace.marker.color)",
        numbers="list(range(len(study.trials)))",
        volumes="[v for trace in study.plot.hypervolume().data for v in trace.y]",
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_executed_small_and_free_of_complaints(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert path.stat().st_size < LIMIT
    assert len(notebook.cells) < 30
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert complaints(notebook) == []
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_primer_writes_five_layers_and_rate_one_hundredth_as_101_011(primer):
    assert primer["mother"] == "101 011"
    assert primer["child"] == {"layers": 4, "learning_rate": 0.1}


def test_the_primers_population_gets_fitter(primer):
    assert primer["means"][-1] < 0.5 * primer["means"][0]


def test_the_primer_traces_the_winner_back_to_generation_zero(primer):
    assert primer["generations"] == sorted(primer["generations"], reverse=True)
    assert primer["generations"][-1] == 0


def test_the_primers_algorithms_beat_random_search(primer):
    random = primer["losses"].pop("random")
    assert len(primer["losses"]) == 3
    assert max(primer["losses"].values()) < 0.5 * random


def test_the_primers_balanced_algorithm_beats_the_greedy_and_the_restless_one(primer):
    greedy, usual, restless = primer["tempers"]
    assert usual < min(greedy, restless)


def test_the_forms_of_one_algorithm_and_two_workers_find_the_same(own):
    assert own["best"] > 0.8
    assert own["forms"] == [True, True, True]


def test_a_misspelt_option_is_named_with_its_cure(own):
    assert "'wieght'" in own["misspelt"]
    assert "did you mean 'weight'" in own["misspelt"]


def test_the_front_of_the_live_paes_object_is_a_trade_off(own):
    costs, accuracies = zip(*own["front"], strict=True)
    assert len(costs) >= 3
    assert list(accuracies) == sorted(set(accuracies))


def test_only_what_had_to_fail_has_failed(own):
    assert own["failed"]
    assert min(own["failed"]) > 4
    assert own["completed"] > 100


def test_the_momentum_is_absent_where_the_solver_has_none(own):
    assert own["momenta"] == 0


def test_a_resumed_study_has_the_table_of_an_uninterrupted_one(own):
    assert own["resumed"] is True


def test_the_kit_names_what_is_wrong_with_a_careless_algorithm(own):
    assert "global" in own["broken"]


def test_live_objects_of_three_libraries_tune_the_same_space(own):
    assert len(own["live"]) == 3
    assert min(own["live"].values()) > 0.7


def test_the_class_of_the_page_keeps_its_promises(own):
    assert own["card"] == [True, "yes"]


def test_the_plugin_on_disk_was_run_and_a_package_written(own):
    assert "optimizer my-swarm" in own["ran"]
    assert "my-tabu/evohpo_my_tabu/__init__.py" in own["written"]


def test_every_algorithm_of_the_page_beats_random_search(own):
    random = own["medians"].pop("random")
    assert min(own["medians"].values()) > random


@pytest.mark.slow
def test_eight_algorithms_tune_the_digits_and_one_of_them_goes_on_after_a_stop(tmp_path):
    page = execute(
        DIGITS,
        tmp_path,
        best="{name: study.best.metrics['accuracy'] for name, study in studies.items()}",
        trials="{len(study.trials) for study in studies.values()}.pop()",
        last="{name: studies[name].table().query('generation == 4').accuracy.mean() for name in ('random', 'de')}",
        resumed="resumed_is_the_same",
    )
    assert len(page["best"]) == 8
    assert min(page["best"].values()) > 0.9
    assert page["trials"] == 40
    assert page["last"]["de"] > page["last"]["random"] + 0.1
    assert page["resumed"] is True


def test_no_notebook_reads_a_private_name():
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                names = [n.attr for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Attribute)]
                assert [name for name in names if name.startswith("_")] == [], path.name


@pytest.mark.slow
def test_stopping_finds_as_much_with_a_fraction_of_the_passes(stopping):
    full, pruned = stopping["runs"]["no pruner"], stopping["runs"]["ASHA"]
    assert pruned["passes"] < 0.4 * full["passes"]
    assert pruned["best score"] > full["best score"] - 0.02


@pytest.mark.slow
def test_replayed_curves_say_what_each_pruner_saves(stopping):
    none = stopping["replayed"].pop("none")
    assert all(row["passes"] < 0.7 * none["passes"] for row in stopping["replayed"].values())
    assert all(row["time, 8 workers"] < none["time, 8 workers"] for row in stopping["replayed"].values())


@pytest.mark.slow
def test_the_front_of_the_classifier_keeps_the_constraints(stopping):
    assert stopping["stopped"] > 0
    assert all(score >= 0.85 and seconds <= 1 for score, seconds in stopping["front"])


@browser
@pytest.mark.slow
def test_what_matters_for_the_classifier_is_learned_from_its_trials(stopping):
    assert set(stopping["matters"]) == {"score", "training_time"}
    for shares in stopping["matters"].values():
        assert sum(shares.values()) == pytest.approx(1)
    assert stopping["chosen"] == [True, "baseline"]


@browser
@pytest.mark.slow
def test_networks_are_found_that_are_small_and_accurate(networks):
    assert networks["status"] == ["completed"] * 96
    assert max(accuracy for accuracy, parameters in networks["front"] if parameters <= 80_000) > 0.94
    assert all(accuracy >= 0.94 and parameters <= 80_000 for accuracy, parameters in networks["front"])
    assert all(second <= first for first, second in networks["sizes"])


@browser
@pytest.mark.slow
def test_the_size_of_a_network_is_learned_exactly_and_the_front_is_coloured_by_trial(networks):
    assert networks["r2"]["num_params"] > 0.99
    assert networks["colours"] == networks["numbers"]
    assert networks["volumes"] == sorted(networks["volumes"])


@pytest.mark.slow
def test_every_individual_is_a_training_job_named_by_its_place(sagemaker):
    assert sagemaker["individuals"] == [18, 18, 18, 18]
    for name, jobs in sagemaker["jobs"].items():
        assert all(job.startswith(f"digits-{name}-") for job in jobs)
    assert [job[-10:] for job in sagemaker["jobs"]["ga"]] == [f"-g00{g}-i00{i}" for g in range(3) for i in range(6)]


@pytest.mark.slow
def test_the_evolutionary_searches_start_alike(sagemaker):
    ga, pso, paes = sagemaker["starts"]
    assert ga == pso == paes


@pytest.mark.slow
def test_the_posts_table_is_the_one_of_the_study(sagemaker):
    assert sagemaker["columns"] == ["batch_size", "learning_rate", "num_epoch", "activation", "objective", "job_number"]
    assert sagemaker["best_of_table"] == sagemaker["best_of_study"]


@pytest.mark.slow
def test_jobs_that_are_stopped_early_save_epochs_and_a_cost_ends_the_search(sagemaker):
    rows = sagemaker["stopping"]
    full, priced = rows.pop("to the end"), rows["ASHA for 0.001"]
    assert full["completed"] == full["trials"] == 18
    assert all(row["epochs"] / row["trials"] < 0.5 * full["epochs"] / full["trials"] for row in rows.values())
    assert priced["why it ended"] == "cost"
    assert 0.001 <= priced["cost"] < 0.0015


@pytest.mark.slow
def test_paused_jobs_go_on_from_their_checkpoints(sagemaker):
    assert "checkpoint" in sagemaker["resumed"]


@pytest.mark.slow
def test_the_built_in_tuners_jobs_are_a_study_and_start_another(sagemaker):
    assert sagemaker["builtin"] == ["completed"] * 18
    assert len(sagemaker["warm"]) == 30
    assert len(set(sagemaker["warm"][:18])) == 1
    assert set(sagemaker["warm"][18:]) == {""}


@pytest.mark.slow
def test_every_search_finds_a_network_that_reads_nine_of_ten_digits(sagemaker):
    assert len(sagemaker["found"]) == 6
    assert min(sagemaker["found"].values()) > 0.9
