"""What the dashboard answers: pages, and what changed since the page last asked."""

from __future__ import annotations

import json

import pytest

import evohpo as eh
from tests.analysis.report import studies
from tests.dashboard.conftest import go


def state(client, since="", study=0):
    return client.get(f"/api/study/{study}", params={"since": since}).json()


def rows(answer):
    """The rows by number, as dicts."""
    titles = [title for title, _ in answer["columns"]]
    return {row[0]: dict(zip(titles, row, strict=True)) for row in answer["rows"]}


def test_one_study_has_its_own_page_and_several_have_one_together(store, make, visit):
    go(make(), 2)
    assert visit(store).get("/").headers["location"] == "/study/0"
    page = visit(store, store).get("/")
    assert page.status_code == 200
    assert "2 studies" in page.text


def test_the_first_answer_has_all_trials_and_the_next_what_changed(store, make, visit):
    study, client = make(), visit(store)
    go(study, 6)
    first = state(client)
    assert first["all"]
    assert sorted(rows(first)) == list(range(6))
    assert rows(first)[3]["loss"] == pytest.approx(study.trials[3].metrics["loss"], rel=1e-6)
    assert rows(first)[3]["status"] == "completed"
    running, _ = study.ask(2)
    second = state(client, first["version"])
    assert not second["all"]
    assert {n: row["status"] for n, row in rows(second).items()} == {6: "running", 7: "running"}
    study.tell(running, error="no data")
    third = state(client, second["version"])
    assert {n: (row["status"], row["note"]) for n, row in rows(third).items()} == {6: ("failed", "no data")}
    assert "1 failed" in third["head"]
    assert "rows" not in state(client, third["version"])


def test_a_version_of_another_time_gives_everything(store, make, visit):
    go(make(), 3)
    client = visit(store)
    for since in ("", "nonsense", "0000.2", "-1", "é"):
        assert state(client, since)["all"]


def test_a_new_metric_is_a_new_column(store, make, visit):
    study, client = make(), visit(store)
    go(study, 1)
    before = state(client)
    (trial,) = study.ask(1)
    study.tell(trial, {"loss": 1.0, "late": 2.0})
    after = state(client, before["version"])
    assert ["late", "metric"] not in before["columns"]
    assert ["late", "metric"] in after["columns"]


def test_a_front_is_told_with_its_rows(tmp_path, visit):
    with studies.with_front(tmp_path / "front.db") as study:
        answer = state(visit(tmp_path / "front.db"))
        losses = [row[[title for title, _ in answer["columns"]].index("loss")] for row in answer["front"]]
        assert sorted(row[0] for row in answer["front"]) == [t.number for t in study.front()]
    assert losses == sorted(losses)


def test_the_page_of_a_trial_has_its_error_its_curve_and_its_logs(store, make, visit):
    study = make()
    trial, failed = study.ask(2)
    for step in (1, 2):
        study.report(trial, step, {"loss": 1 / step, "odd": float("inf")})
    study.tell(failed, error="no data", kind="raised", traceback="Traceback: line 7")
    folder = store.with_name("study.db.files") / "trial-000000"
    folder.mkdir(parents=True)
    (folder / "train.log").write_text("x" * 50_000 + "the end")
    (folder / "model.bin").write_bytes(b"\xff" * 10)
    (folder / "elsewhere.txt").symlink_to("/etc/passwd")
    client = visit(store)
    assert client.get("/study/0/trial/0").status_code == 200
    answer = client.get("/api/study/0/trial/0").json()
    assert answer["curves"] == {"loss": [[1, 2], [1.0, 0.5]], "odd": [[1, 2], [None, None]]}
    assert "running" in answer["body"]
    assert "xxx" in answer["files"]
    assert "the end" in answer["files"]
    assert len(answer["files"]) < 25_000
    assert "model.bin (10 bytes)" in answer["files"]
    assert "root:" not in answer["files"]
    body = client.get("/api/study/0/trial/1").json()["body"]
    assert "no data" in body
    assert "Traceback: line 7" in body


def test_an_ended_trials_page_is_not_sent_again(store, make, visit):
    study = make()
    go(study, 3)
    client = visit(store)
    first = client.get("/api/study/0/trial/1").json()
    go(study, 1)
    assert "body" not in client.get("/api/study/0/trial/1", params={"since": first["version"]}).json()


@pytest.mark.parametrize(
    "path",
    ["/study/1", "/study/1/trial/0", "/study/-1", "/api/study/1", "/api/study/0/trial/99", "/api/study/0/plot/secret",
     "/api/study/0/plot/history?variant=9", "/api/study/0/plot/history?variant=x", "/api/study/0/plot/__class__",
     "/api/study/0/part/secret", "/static/report/../../rows.py", "/static/report/%2e%2e/rows.py", "/nothing"],
)  # fmt: skip
def test_what_there_is_not_is_not_found(path, store, make, visit):
    go(make(), 2)
    assert visit(store).get(path).status_code == 404


def test_a_plot_is_drawn_again_only_after_new_results(store, make, visit):
    study, client = make(), visit(store)
    go(study, 4)
    first = client.get("/api/study/0/plot/history").json()
    assert json.loads(first["figure"])["data"]
    assert "figure" not in client.get("/api/study/0/plot/history", params={"seen": first["name"]}).json()
    study.ask(1)
    assert "figure" not in client.get("/api/study/0/plot/history", params={"seen": first["name"]}).json()
    go(study, 1)
    assert "figure" in client.get("/api/study/0/plot/history", params={"seen": first["name"]}).json()


def test_the_timeline_follows_trials_that_run(store, make, visit):
    study, client = make(), visit(store)
    go(study, 2)
    first = client.get("/api/study/0/plot/timeline").json()
    study.ask(1)
    second = client.get("/api/study/0/plot/timeline", params={"seen": first["name"]}).json()
    assert json.loads(second["figure"])["data"]


def test_what_was_learned_and_what_went_wrong_are_parts(store, make, visit):
    study, client = make(), visit(store)
    go(study, 12, loss=1.0)
    assert "never varies" in client.get("/api/study/0/part/trouble").json()["html"]
    learned = client.get("/api/study/0/part/learned").json()
    assert "What was learned" in learned["html"]
    assert "html" not in client.get("/api/study/0/part/learned", params={"seen": learned["name"]}).json()


def test_several_studies_stand_side_by_side(store, make, visit, tmp_path):
    study = make()
    go(study, 4)
    with studies.with_front(tmp_path / "front.db", n=20):
        client = visit(store, tmp_path / "front.db", tmp_path / "later.db")
        one, front, later = client.get("/api/overview").json()
        versions = ",".join(card["version"] for card in (one, front, later))
        go(study, 1)
        again = client.get("/api/overview", params={"since": versions}).json()
    assert one["progress"]["y"][-1] == pytest.approx(min(t.metrics["loss"] for t in study.trials[:4]), rel=1e-6)
    assert one["progress"]["x"][-1] == 3
    assert front["progress"]["kind"] == "front"
    assert "no such file yet" in later["problem"]
    assert ["head" in card for card in again] == [True, False, False]


def test_a_study_that_is_not_there_yet_has_a_page_that_waits(store, make, visit):
    client = visit(store)
    assert "data-waiting" in client.get("/study/0").text
    assert "no such file yet" in state(client)["problem"]
    assert client.get("/api/study/0/plot/history").status_code == 404
    assert client.get("/api/study/0/part/trouble").status_code == 404
    go(make(), 1)
    assert "data-waiting" not in client.get("/study/0").text
    assert state(client)["problem"] == ""


def test_whatever_a_study_says_is_escaped_and_sent(tmp_path, visit):
    store = tmp_path / "hostile.db"
    studies.hostile(store).close()
    client = visit(store, store)
    answers = [client.get(path).text for path in ("/", "/study/0", "/study/0/trial/0")]
    told = state(client)
    answers += [told["head"], told["best"]]
    for number in (0, 6):
        answer = client.get(f"/api/study/0/trial/{number}").json()
        answers += [answer["body"], answer["files"]]
    answers += [client.get(f"/api/study/0/part/{key}").json()["html"] for key in ("learned", "trouble")]
    for text in answers:
        assert "<script>" not in text
        assert "<img" not in text
        assert "1337" not in text
    assert studies.SCRIPT in [title for title, _ in told["columns"]]


def test_the_study_is_never_written(store, make, visit):
    study = make()
    go(study, 5)
    study.close()
    before = store.read_bytes()
    client = visit(store)
    for path in (
        "/study/0",
        "/api/study/0",
        "/api/study/0/trial/1",
        "/api/study/0/plot/lineage",
        "/api/study/0/part/trouble",
    ):
        assert client.get(path).status_code == 200
    assert store.read_bytes() == before
    study = eh.load(store)
    go(study, 1)
    study.close()
    assert len(state(client)["rows"]) == 6
