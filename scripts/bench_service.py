"""How fast the HTTP service answers: many workers, each of which asks, lives through a trial with reports, and tells.

    python scripts/bench_service.py --clients 200 --seconds 20 --trial 1.0

The server is a process of its own; all clients are in this one, so that they take little of the machine. Only loopback is used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from urllib.parse import urlsplit

import psutil

SERVER = """
import sys
import evohpo as eh
study = eh.Study({f"x{i}": eh.Continuous(0, 1) for i in range(10)}, minimize="loss", optimizer=sys.argv[1],
                 seed=1, duplicates="evaluate", store=sys.argv[2] or None)
eh.serve(study, started=lambda e: print(e.url, flush=True), progress=False)
"""


class Client:
    """A worker that speaks HTTP/1.1 on one connection and notes how long each answer took."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.took: dict[str, list[float]] = {"ask": [], "report": [], "tell": []}
        self.numbers: list[int] = []

    async def send(self, path: str, body: dict) -> dict:
        """Post something and return the answer."""
        data = json.dumps(body).encode()
        head = f"POST /api/v1/{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
        began = time.perf_counter()
        self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        header = await self.reader.readuntil(b"\r\n\r\n")
        assert header.startswith(b"HTTP/1.1 200"), header
        length = next(int(line[15:]) for line in header.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await self.reader.readexactly(length)
        self.took[path].append(time.perf_counter() - began)
        return json.loads(answer)

    async def work(self, name: str, seconds: float, trial: float, reports: int, late: float) -> None:
        """Do trials until the time is over; `late` says when to begin."""
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        await asyncio.sleep(late)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = await self.send("ask", {"worker": name, "wait": 5})
            for given in answer["trials"]:
                self.numbers.append(given["number"])
                for step in range(1, reports + 1):
                    await asyncio.sleep(trial / (reports + 1))
                    await self.send("report", {"lease": given["lease"], "step": step, "metrics": {"loss": 1.0 / step}})
                await asyncio.sleep(trial / (reports + 1))
                loss = sum(given["params"].values())
                await self.send("tell", {"lease": given["lease"], "metrics": {"loss": loss}})
        self.writer.close()


async def measure(url: str, given: argparse.Namespace) -> list[Client]:
    clients = [Client(url) for _ in range(given.clients)]
    late = [given.trial * i / given.clients for i in range(given.clients)]  # not all in the same moment
    await asyncio.gather(
        *(c.work(f"w{i}", given.seconds, given.trial, given.reports, late[i]) for i, c in enumerate(clients))
    )
    return clients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--trial", type=float, default=1.0, help="seconds a trial takes")
    parser.add_argument("--reports", type=int, default=0, help="reports a trial")
    parser.add_argument("--optimizer", default="random")
    parser.add_argument("--store", default="")
    given = parser.parse_args()
    command = [sys.executable, "-c", SERVER, given.optimizer, given.store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            clients = asyncio.run(measure(server.stdout.readline().strip(), given))
            times = psutil.Process(server.pid).cpu_times()
        finally:
            server.kill()
    numbers = [n for client in clients for n in client.numbers]
    twice = len(numbers) - len(set(numbers))
    print(f"{given.clients} clients, {len(numbers)} trials in {given.seconds:g} s, {twice} given twice")
    requests = sum(len(took) for client in clients for took in client.took.values())
    busy = times.user + times.system
    print(f"server: {requests / given.seconds:.0f} requests a second, {1000 * busy / requests:.2f} ms of a core each")
    for path in ("ask", "report", "tell"):
        took = sorted(1000 * t for client in clients for t in client.took[path])
        if len(took) > 1:
            half, most = statistics.median(took), statistics.quantiles(took, n=100)[98]
            print(f"{path:7} {len(took):6} answers: median {half:.1f} ms, p99 {most:.1f} ms, longest {took[-1]:.1f} ms")


if __name__ == "__main__":
    main()
