"""Slurm's commands, as far as `eh.Slurm` uses them: jobs really run, in the background, with a file for each fact.

FAKE_SLURM is the folder of the facts. Some say what is to go wrong: `fail-<command>` how often a command fails, and what it
says; `lose-answer` that the next job is submitted without a word; `pending` how often squeue says that jobs wait; `force-<id>`
a job's state; `gone-<id>` that nobody knows it any more; `forgets` that squeue knows no job that has ended.
"""

# ruff: noqa: PTH105, PTH107, PTH118, PTH123, PTH208 - started again and again, it imports little
import contextlib
import os
import signal
import subprocess
import sys

HOME = os.environ.get("FAKE_SLURM", "")


def get(name, default=""):
    try:
        with open(os.path.join(HOME, name)) as file:
            return file.read()
    except FileNotFoundError:
        return default


def put(name, content):
    path = os.path.join(HOME, name)
    with open(f"{path}.{os.getpid()}", "w") as file:
        file.write(str(content))
    os.replace(f"{path}.{os.getpid()}", path)


def options(words):
    named = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    return named, [word for word in words if not word.startswith("--")]


def fail(command):
    times, _, said = get(f"fail-{command}").partition(" ")
    if times and int(times) > 0:
        put(f"fail-{command}", f"{int(times) - 1} {said}")
        sys.exit(said or f"{command}: error: Unable to contact slurm controller (connect failure)")


def new_id():
    for number in range(1, 100_000):
        try:
            os.close(os.open(os.path.join(HOME, f"job-{number}"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return str(number)
    raise SystemExit("no room")


def sbatch(words):
    named, (script,) = options(words)
    if named.get("partition") == "nowhere":
        sys.exit("sbatch: error: invalid partition specified: nowhere")
    job = new_id()
    put(f"name-{job}", named["job-name"])
    put(f"folder-{job}", named["chdir"])
    put(f"options-{job}", "\n".join(words))
    output = named["output"].replace("%j", job).replace("%%", "%")
    if os.fork() == 0:
        os.setsid()
        with open(output, "ab") as file, open(os.devnull, "r+b") as nothing:
            for stream in (0, 1, 2):
                os.dup2(nothing.fileno(), stream)
            process = subprocess.Popen(
                ["/bin/sh", script], cwd=named["chdir"], stdin=nothing, stdout=file, stderr=file, start_new_session=True
            )
        put(f"pid-{job}", process.pid)
        put(f"code-{job}", process.wait())
        os._exit(0)
    if get("lose-answer"):
        os.remove(os.path.join(HOME, "lose-answer"))
        sys.exit("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    print(job)


def state(job):
    """Return a job's state and exit code as sacct prints them."""
    code = get(f"code-{job}")
    if int(get("pending", "0")):
        return "PENDING", "0:0"
    if forced := get(f"force-{job}"):
        return forced, "0:0"
    if not code:
        return "RUNNING", "0:0"
    if get(f"cancelled-{job}"):
        return "CANCELLED by 1000", "0:15"
    if code == "0":
        return "COMPLETED", "0:0"
    return "FAILED", f"0:{-int(code)}" if int(code) < 0 else f"{code}:0"


def jobs():
    return sorted((name[4:] for name in os.listdir(HOME) if name.startswith("job-") and "." not in name), key=int)


def squeue(words):
    for job in jobs():
        named, _ = options(words)
        if get(f"gone-{job}") or not get(f"name-{job}") or named.get("name", get(f"name-{job}")) != get(f"name-{job}"):
            continue
        said, _ = state(job)
        if said.split()[0] not in ("RUNNING", "PENDING") and get("forgets"):
            continue  # it remembers jobs that ended for some minutes only
        print(named["format"].replace("%i", job).replace("%T", said.split()[0]).replace("%Z", get(f"folder-{job}")))
    if get("name-1"):
        put("pending", max(0, int(get("pending", "0")) - 1))


def sacct(words):
    named, _ = options(words)
    wanted = named["jobs"].split(",") if "jobs" in named else jobs()
    for job in wanted:
        if get(f"gone-{job}") or named.get("name", get(f"name-{job}")) != get(f"name-{job}"):
            continue
        said, code = state(job)
        facts = {"JobID": job, "State": said, "ExitCode": code, "WorkDir": get(f"folder-{job}")}
        print("|".join(facts[column] for column in named["format"].split(",")))


def scancel(words):
    (job,) = words
    if not get(f"code-{job}"):
        put(f"cancelled-{job}", 1)
        while not get(f"pid-{job}"):
            pass
        if not get(f"code-{job}"):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(int(get(f"pid-{job}")), signal.SIGKILL)


if __name__ == "__main__":
    command = sys.argv[1]
    put(f"calls-{command}", int(get(f"calls-{command}", "0")) + 1)
    fail(command)
    globals()[command](sys.argv[2:])
