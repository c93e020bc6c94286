"""Measures tidemark beside its peers and prints medians of per-round ratios with their range.

Clients take turns in every round, so that what else the machine does hits all of them alike. CPU is user plus system
time of the whole client process, by wait4. "same core" puts client and server on one core, where CPU per request is
what differs and noise is least; "split" gives each a core of its own. A peer that is not installed, or whose output
cannot be read, is left out with a word.

With --against DIR, tidemark beside another build of itself: DIR is a checkout of this project, whose release preset is
built, or the folder of a build. Parts http, tls and ws ("all" is these) run in pairs, new and old in turn, on the same
target and core, and who is first in a pair is last in the next. What is printed is the median of the pairs' ratios; and
the instructions in user space that a request takes in both (http and ws; callgrind, the difference of a long run and a
short one, without kernel time stamps: they are so many a second, and valgrind makes a second hold fewer requests; what
they cost is in the CPU). Speed is "unchanged" if the ratio of CPU per request is at most 1.02, and the instructions are at most those
of DIR + 2. The exit code is 4 if it is not, or if that could not be told.
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
TIDEMARK = str(BUILD / "coordinator/tidemark")
AGENT = str(BUILD / "agent/tidemark-agent")
BENCH = BUILD / "tests/bench"
CONNECTIONS = 64


class Usage:
    """CPU seconds that one process used, how long it ran, and what it printed."""

    def __init__(self, argv, cores=None, env=None):
        pin = (lambda: os.sched_setaffinity(0, cores)) if cores is not None else None
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.monotonic()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=pin,
                                       env=dict(os.environ, **(env or {})))
            _, status, used = os.wait4(process.pid, 0)
            self.elapsed = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            self.text = out.read().decode(errors="replace")
            self.error = err.read().decode(errors="replace")
        self.code = process.returncode
        self.cpu = used.ru_utime + used.ru_stime
        self.memory = used.ru_maxrss * 1024  # bytes, the largest


def tidemark_version():
    return subprocess.run([TIDEMARK, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


# ---------------------------------------------------------------- servers

@contextlib.contextmanager
def server(argv, core, ready):
    """A server process on `core`; `ready(process)` returns once it serves, with what the caller wants to know."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else None)
    try:
        yield ready(process)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def mock(core):
    """Yields the port of tidemark-mock, whose WebSockets are Boost.Beast's."""
    return server([str(BUILD / "tests/mock_exchange/tidemark-mock"), "--listen", "127.0.0.1:0"], core,
                  lambda process: int(process.stdout.readline().rsplit(":", 1)[1]))


def bare_responder(core, host="127.0.0.1", port=0):
    """Yields its port."""
    return server([str(BENCH / "bare_responder"), host, str(port)], core,
                  lambda process: int(process.stdout.readline().rsplit(":", 1)[1]))


@contextlib.contextmanager
def nginx(core, tls=False):
    """Yields its port."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        lines = ""
        if tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", f"{folder}/key", "-out", f"{folder}/cert", "-days", "2", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
            lines = f"ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key; ssl_protocols TLSv1.3;"
        user = "user root;" if os.getuid() == 0 else ""
        temp = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        pathlib.Path(folder, "nginx.conf").write_text(f"""{user} daemon off; worker_processes 1; pid {folder}/pid;
error_log {folder}/error.log; worker_rlimit_nofile 19900; events {{ worker_connections 19000; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_body_temp_path {folder}/body; {temp}
server {{ listen 127.0.0.1:{port}{" ssl" if tls else ""} backlog=4096; {lines}
location / {{ return 200 "Hello, world!"; }} }} }}""")

        def ready(process):
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    return port
                time.sleep(0.05)
            sys.exit(f"scripts/bench: nginx does not listen: {pathlib.Path(folder, 'error.log').read_text()}")

        with server(["/usr/sbin/nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"], core, ready) as port:
            yield port


# ---------------------------------------------------------------- clients

class Unreadable(Exception):
    """What a client printed says of no request."""


class Client:
    """A load generator: its command line, and how many requests it says it did."""

    name = ""

    def argv(self, url, connections, seconds):
        raise NotImplementedError

    def requests(self, used):
        raise NotImplementedError

    def seconds(self, used, asked):
        """How long it sent requests."""
        del used
        return asked

    def env(self):
        return {}

    def is_there(self):
        return shutil.which(self.name) is not None


class Tidemark(Client):
    name = "tidemark"

    def __init__(self, *flags, program=TIDEMARK):
        self.flags = flags
        self.program = program

    def argv(self, url, connections, seconds):
        return [self.program, "run", "-q", "-k" if url.startswith("https") else "-q", "-t", "1", "-c", str(connections),
                "-d", f"{seconds}s", "-o", "csv=-", *self.flags, url]

    def requests(self, used):
        return int(next(csv.DictReader(used.text.splitlines()))["successful_requests"])

    def is_there(self):
        return True


class Wrk(Client):
    name = "wrk"

    def __init__(self, *flags):
        self.flags = flags

    def argv(self, url, connections, seconds):
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"User-Agent: tidemark/{tidemark_version()}",
                *self.flags, url]

    def requests(self, used):
        return int(re.search(r"(\d+) requests in", used.text)[1])


class H2load(Client):
    name = "h2load"

    def argv(self, url, connections, seconds):
        return ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", url]

    def requests(self, used):
        return int(re.search(r"(\d+) succeeded", used.text)[1])


class Own(Client):
    """A program of tests/bench that takes PORT CONNECTIONS SECONDS and prints "N requests"."""

    def __init__(self, name, program):
        self.name = name
        self.program = BENCH / program

    def argv(self, url, connections, seconds):
        return [str(self.program), re.search(r":(\d+)/", url)[1], str(connections), str(seconds)]

    def requests(self, used):
        return int(used.text.split()[0])

    def is_there(self):
        return self.program.exists()


class Hey(Client):
    name = "hey"

    def argv(self, url, connections, seconds):
        return ["hey", "-z", f"{seconds}s", "-c", str(connections), url]

    def requests(self, used):
        return sum(int(n) for n in re.findall(r"\[200\]\s+(\d+) responses", used.text))


class Oha(Client):
    name = "oha"

    @staticmethod
    def json_flags(help_text):
        """What asks this version for JSON: its options changed their names."""
        if "--output-format" in help_text:
            return ["--output-format", "json"]
        return ["--json" if "--json" in help_text else "-j"]

    def argv(self, url, connections, seconds):
        text = subprocess.run(["oha", "--help"], capture_output=True, text=True, check=False).stdout
        return ["oha", "-z", f"{seconds}s", "-c", str(connections), "--insecure", "--no-tui", *self.json_flags(text), url]

    def requests(self, used):
        return json.loads(used.text)["statusCodeDistribution"]["200"]


class SslTime(Client):
    """openssl s_time: full handshakes one after the other, a request on each."""

    name = "openssl s_time"

    def argv(self, url, connections, seconds):
        assert connections == 1
        return ["openssl", "s_time", "-connect", re.search(r"//([^/]+)/", url)[1], "-new", "-www", "/", "-time",
                str(seconds)]

    def requests(self, used):
        return int(re.search(r"(\d+) connections in \d+ real seconds", used.text)[1])

    def seconds(self, used, asked):
        del asked  # it looks at whole seconds of the clock: up to one more
        return used.elapsed

    def is_there(self):
        return shutil.which("openssl") is not None


class Vegeta(Client):
    name = "vegeta"

    def argv(self, url, connections, seconds):
        attack = (f"echo 'GET {url}' | vegeta attack -insecure -rate=0 -workers={connections} "
                  f"-max-workers={connections} -connections={connections} -duration={seconds}s")
        return ["sh", "-c", f"{attack} | vegeta report -type=json"]

    def requests(self, used):
        return json.loads(used.text)["status_codes"]["200"]


class K6(Client):
    name = "k6"

    def __init__(self, folder):
        self.script = pathlib.Path(folder, "k6.js")
        self.summary = pathlib.Path(folder, "k6.json")

    def argv(self, url, connections, seconds):
        self.script.write_text("import http from 'k6/http';\nexport const options = { insecureSkipTLSVerify: true };\n"
                               f"export default function () {{ http.get('{url}'); }}\n")
        return ["k6", "run", "-q", "--vus", str(connections), "--duration", f"{seconds}s", "--summary-export",
                str(self.summary), str(self.script)]

    def env(self):
        return {"K6_NO_USAGE_REPORT": "true"}

    def requests(self, used):
        return json.loads(self.summary.read_text())["metrics"]["http_reqs"]["count"]


class Locust(Client):
    name = "locust"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def argv(self, url, connections, seconds):
        (self.folder / "locustfile.py").write_text(
            "from locust import FastHttpUser, task\nclass User(FastHttpUser):\n    insecure = True\n    @task\n"
            "    def get(self):\n        self.client.get('/')\n")
        return ["locust", "-f", str(self.folder / "locustfile.py"), "--headless", "-u", str(connections), "-r",
                str(connections), "-t", f"{seconds}s", "--host", url.rstrip("/"), "--csv", str(self.folder / "locust"),
                "--only-summary"]

    def requests(self, used):
        rows = csv.DictReader((self.folder / "locust_stats.csv").open())
        return next(int(row["Request Count"]) for row in rows if row["Name"] == "Aggregated")


def peers(folder):
    """Load generators that Debian has no package of, if the user has them."""
    return [Hey(), Oha(), Vegeta(), K6(folder), Locust(folder)]


# ---------------------------------------------------------------- measuring

def spread(values, form="{:.3f}"):
    """Median (least to most)."""
    return "{} ({} to {})".format(*(form.format(v) for v in (statistics.median(values), min(values), max(values))))


def measure(client, url, core, connections, seconds):
    """CPU microseconds per request, requests per second. Raises Unreadable."""
    try:
        used = Usage(client.argv(url, connections, seconds), {core}, client.env())
    except OSError as error:
        raise Unreadable(f"does not start: {error}") from error
    try:
        requests = client.requests(used)
    except (TypeError, KeyError, ValueError, StopIteration, IndexError, OSError):
        requests = 0
    if requests == 0:
        said = " ".join((used.error or used.text).split())[-200:]
        raise Unreadable(f"no count of requests to be read (exit {used.code}): {said}")
    return used.cpu * 1e6 / requests, requests / client.seconds(used, seconds)


def must_measure(client, url, core, connections, seconds):
    """measure, where without an answer there is nothing to say."""
    try:
        return measure(client, url, core, connections, seconds)
    except Unreadable as error:
        sys.exit(f"scripts/bench: {client.name}: {error}")


def left_out(name, why):
    print(f"  left out: {name}: {why}", flush=True)


def compare(title, clients, url, core, rounds, seconds, base="wrk", connections=CONNECTIONS):
    """Prints a row per client: absolute medians, and per-round ratios to `base`. Peers may be left out, tidemark not."""
    print(f"\n{title}; {connections} connections, {rounds} rounds of {seconds} s, median (least to most)", flush=True)
    results = {}
    for client in clients:
        if client.is_there():
            results[client.name] = []
        else:
            left_out(client.name, "not installed")
    for number in range(rounds):
        for client in clients:
            if client.name not in results:
                continue
            progress(f"round {number + 1} of {rounds}: {client.name}")
            if isinstance(client, Tidemark):
                results[client.name].append(must_measure(client, url, core, connections, seconds))
                continue
            try:
                results[client.name].append(measure(client, url, core, connections, seconds))
            except Unreadable as error:
                progress("")
                left_out(client.name, error)
                del results[client.name]
    progress("")
    print(f"  {'client':<18}{'CPU us/request':<28}{'/ ' + base:<28}{'requests/s':<32}{'/ ' + base}")
    for name, rows in results.items():
        print(f"  {name:<18}{spread([row[0] for row in rows], '{:.2f}'):<28}{ratio(results, name, base):<28}"
              f"{spread([row[1] for row in rows], '{:.0f}'):<32}{ratio(results, name, base, 1)}")
    return results


def ratio(results, name, base, column=0):
    """"-" if one of them was left out."""
    if not results.get(name) or not results.get(base):
        return "-"
    return spread([a[column] / b[column] for a, b in zip(results[name], results[base])])


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- the parts

def http(rounds, seconds):
    """HTTP beside the peers: same core with nginx, and split against a bare responder"""
    with tempfile.TemporaryDirectory() as folder:
        ours = [Tidemark(), Wrk(), Own("syscall floor", "syscall_floor"), Own("io_uring floor", "uring_floor"),
                Own("naive Beast", "naive_beast"), H2load()]
        others = peers(folder)
        with nginx(1) as port:
            results = compare("same core with nginx", ours + others, f"http://127.0.0.1:{port}/", 1, rounds, seconds)
            print("  CPU per request / syscall floor's: tidemark", ratio(results, "tidemark", "syscall floor"),
                  "io_uring floor", ratio(results, "io_uring floor", "syscall floor"))
        with bare_responder(1) as port:
            results = compare("split, bare responder on the other core", ours, f"http://127.0.0.1:{port}/", 0, rounds,
                              seconds)
            print("  CPU per request / syscall floor's: tidemark", ratio(results, "tidemark", "syscall floor"),
                  "io_uring floor", ratio(results, "io_uring floor", "syscall floor"))


def tls(rounds, seconds):
    """HTTPS (TLS 1.3) beside the peers, and handshakes per second"""
    with nginx(1, tls=True) as port:
        url = f"https://127.0.0.1:{port}/"
        compare("HTTPS, same core with nginx", [Tidemark(), Wrk(), H2load()], url, 1, rounds, seconds)
        compare("HTTPS, split", [Tidemark(), Wrk(), H2load()], url, 0, rounds, seconds)
        # Like beside like: wrk resumes its session on each new connection, openssl s_time -new never does.
        full, resumed = Tidemark("--new-connection", "--no-resume"), Tidemark("--new-connection")
        compare("HTTPS, a new connection for each request, sessions resumed, split (requests are handshakes)",
                [resumed, Wrk("-H", "Connection: close")], url, 0, rounds, seconds)
        compare("HTTPS, a new connection for each request, full handshakes, split (requests are handshakes)",
                [full, SslTime()], url, 0, rounds, seconds, base=SslTime.name, connections=1)


def per_connection(client, url, few, many, seconds):
    """Bytes of anonymous memory per connection in the midst of a run."""
    def resident(count):
        process = subprocess.Popen(client.argv(url, count, seconds), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds * 0.75)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        process.wait()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024

    return (resident(many) - resident(few)) / (many - few)


def ws(rounds, seconds):
    """WebSocket echo of 64 B beside a Beast client as its examples teach it; memory per idle connection"""
    echo = [Tidemark("--data", "x" * 64), Own("naive Beast", "naive_beast_ws")]
    for title, server_core in (("WebSocket echo, same core with a Beast server", 0), ("split", 1)):
        with mock(server_core) as port:
            compare(title, echo, f"ws://127.0.0.1:{port}/ws", 0, rounds, seconds, base="naive Beast")
    idle = Tidemark("--think-time", "60s", "--warmup", "1", "--data", "x" * 64)
    with mock(1) as port:
        values = [per_connection(idle, f"ws://127.0.0.1:{port}/ws", 1_000, 9_000, max(seconds, 5))
                  for _ in range(rounds)]
    print(f"\nuser memory per idle WebSocket, 1,000 and 9,000: {spread(values, '{:.0f}')} B")


def memory(rounds, seconds):
    """user memory per connection: (resident with many - resident with few) / difference"""
    def rows(title, url, few, many, clients):
        print(f"\n{title}: {few} and {many} connections, {rounds} rounds, bytes per connection, median (least to most)")
        results = {client.name: [] for client in clients}
        for _ in range(rounds):
            for client in clients:
                if not client.is_there():
                    continue
                results[client.name].append((per_connection(client, url, few, many, seconds),))
        for client in clients:
            if not results[client.name]:
                left_out(client.name, "not installed")
                continue
            print(f"  {client.name:<16}{spread([row[0] for row in results[client.name]], '{:.0f}'):<32}"
                  f"/ wrk {ratio(results, client.name, 'wrk')}")

    idle = Tidemark("--think-time", "60s", "--warmup", "1")
    idle.name = "tidemark, idle"
    with nginx(1) as port:
        rows("plain", f"http://127.0.0.1:{port}/", 2_000, 18_000, [idle, Wrk()])
    with nginx(1, tls=True) as port:
        rows("TLS 1.3", f"https://127.0.0.1:{port}/", 100, 2_000, [Tidemark(), Wrk()])


def sockets_in_use():
    """TCP sockets in use, by the kernel's own count."""
    text = pathlib.Path("/proc/net/sockstat").read_text()
    return int(re.search(r"TCP: inuse (\d+)", text)[1])


def connections(count, seconds):
    """connections held at once: agents and responders of at most 17,000 connections each"""
    pairs = -(-count // 17_000)
    seconds = max(seconds, 12)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(bare_responder(None, "127.0.1.1"))
        for i in range(1, pairs):
            stack.enter_context(bare_responder(None, f"127.0.1.{i + 1}", port))
        agents = [stack.enter_context(server([AGENT, "--listen", "127.0.0.1:0", "--once"], None,
                                             lambda process: process.stdout.readline())) for _ in range(pairs)]
        addresses = [re.search(r"127\.0\.0\.1:\d+", line)[0] for line in agents]
        report = tempfile.NamedTemporaryFile(suffix=".json")
        before = sockets_in_use()
        argv = [TIDEMARK, "run", "-q", "-t", "1", "-c", str(count), "-d", f"{seconds}s", "--think-time", "10s",
                "--warmup", "0", "--agents", ",".join(addresses), "-o", f"json={report.name}",
                "--source", ",".join(f"127.0.2.{i + 1}" for i in range(pairs))]
        for i in range(pairs):
            argv += ["--resolve", f"held.test:{port}:127.0.1.{i + 1}"]
        process = subprocess.Popen([*argv, f"http://held.test:{port}/"], stderr=subprocess.PIPE, text=True)
        most = 0
        while process.poll() is None:
            most = max(most, sockets_in_use() - before)
            time.sleep(0.2)
        error = process.stderr.read()
        if process.returncode != 0:
            sys.exit(f"scripts/bench: tidemark exited with {process.returncode}: {error}")
        total = json.load(open(report.name))["total"]
        print(f"\n{count} connections over {pairs} agents and {pairs} responders, think time 10 s, {seconds} s")
        accounts = total["warmup"], total["accounting"]  # connections are opened before the start
        attempts = {name: sum(a["connections"][name] for a in accounts) for name in accounts[0]["connections"]}
        print(f"  TCP sockets in use at once by the kernel's count, both ends of each connection: {most}")
        print("  connections:", ", ".join(f"{name} {n}" for name, n in attempts.items()))
        print("  requests:    planned {planned}, sent {sent}, never sent {never_sent},".format(**total["accounting"]),
              ", ".join(f"{name} {n}" for name, n in total["accounting"]["outcomes"].items() if n))


def scale(rounds, seconds):
    """two workers beside one, each pinned to a core with a responder of its own"""
    one_worker = Tidemark("--pin")
    two_workers = Tidemark("--pin", "-t", "2")
    rows = []
    with bare_responder(0) as port, bare_responder(1, "127.0.0.2", port):
        for _ in range(rounds):
            one = must_measure(one_worker, f"http://127.0.0.1:{port}/", 0, CONNECTIONS, seconds)
            argv = [TIDEMARK, "run", "-q", "-t", "2", "--pin", "-c", str(2 * CONNECTIONS), "-d", f"{seconds}s", "-o",
                    "csv=-", "--resolve", f"both.test:{port}:127.0.0.1", "--resolve", f"both.test:{port}:127.0.0.2",
                    f"http://both.test:{port}/"]
            used = Usage(argv, {0, 1})
            requests = two_workers.requests(used)
            rows.append((one, (used.cpu * 1e6 / requests, requests / seconds)))
    print(f"\n1 worker on core 0, then 2 on cores 0 and 1; a responder on each core; {CONNECTIONS} connections a worker, "
          f"{rounds} rounds of {seconds} s, median (least to most)")
    print("  requests/s per core, 2 workers / 1:", spread([two[1] / 2 / one[1] for one, two in rows]))
    print("  CPU per request, 2 workers / 1:    ", spread([two[0] / one[0] for one, two in rows]))
    print("  requests/s: 1 worker", spread([one[1] for one, _ in rows], "{:.0f}"), "2 workers",
          spread([two[1] for _, two in rows], "{:.0f}"))


def swarm(agents, seconds):
    """one coordinator and 1,000 agents (--agents), played by one process that sends real shards each second"""
    player = subprocess.Popen([str(BENCH / "agent_swarm")], stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {0}))
    try:
        port = player.stdout.readline().split()[-1]
        addresses = ",".join(f"127.1.{i // 250}.{i % 250 + 1}:{port}" for i in range(agents))
        started = time.monotonic()
        used = Usage([TIDEMARK, "run", "-q", "--agents", addresses, "-c", str(agents), "-d", f"{seconds}s", "--warmup",
                      "0", "-o", "json=/dev/null", "http://10.0.0.1/"], {1})
        ended = time.monotonic()
        last = max(int(player.stdout.readline().split()[-1]) for _ in range(agents)) / 1e9
    finally:
        player.kill()
    print(f"\n{agents} agents, 4 histograms each per second, {seconds} s, the coordinator on a core of its own")
    print(f"  CPU of the coordinator: {100 * used.cpu / (ended - started):.1f} % of a core, "
          f"{used.cpu * 1e6 / agents / seconds:.0f} us per shard of 4 histograms, connecting and reporting in it")
    print(f"  memory, largest: {used.memory / 1e6:.0f} MB; the report {ended - last:.2f} s after the last shard")


def micro(rounds, _seconds):
    """record, clock, merge, encode, decode, schedule (Google Benchmark)"""
    sys.stdout.flush()
    subprocess.run([str(BENCH / "micro_bench"), f"--benchmark_repetitions={rounds}",
                    "--benchmark_report_aggregates_only=true"], preexec_fn=lambda: os.sched_setaffinity(0, {0}),
                   check=True)


# ---------------------------------------------------------------- beside another build of itself

MOST_RATIO = 1.02        # of CPU per request, new / old
MOST_INSTRUCTIONS = 2.0  # per request, new - old
ECHO = ("--data", "x" * 64)


def build_of(folder):
    """The program tidemark of DIR: a folder of a build, or a checkout, which is built."""
    folder = pathlib.Path(folder).resolve()
    as_build = folder / "coordinator/tidemark"
    if as_build.is_file():
        return str(as_build)
    if not (folder / "CMakePresets.json").is_file() or not (folder / "coordinator").is_dir():
        sys.exit(f"scripts/bench: --against {folder}: neither a checkout of this project nor the folder of a build; "
                 "name one with CMakePresets.json or coordinator/tidemark in it")
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", "tidemark"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"scripts/bench: --against {folder}: {' '.join(command)}: {(done.stderr or done.stdout)[-400:]}")
    return str(folder / "build/release/coordinator/tidemark")


def instructions(program, url, flags):
    """User instructions per request inside the worker, as tests/e2e/instructions_test.cc counts them. None: not told."""
    def count(requests):
        with tempfile.TemporaryDirectory() as folder:
            counts = pathlib.Path(folder, "callgrind.out")
            subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=tidemark::Worker::Run()",
                            f"--callgrind-out-file={counts}", program, "run", "-q", "-t", "1", "-c", str(CONNECTIONS),
                            "-n", str(requests), "--warmup", "0", "--kernel-timestamps", "0", *flags, url],
                           stdin=subprocess.DEVNULL, capture_output=True, check=True)
            return int(re.search(r"^totals: (\d+)", counts.read_text(), re.MULTILINE)[1])

    few, many = 10_000, 60_000
    try:
        each = (count(many) - count(few)) / (many - few)
    except (OSError, subprocess.CalledProcessError, TypeError):
        return None
    return each if each > 0 else None


def judge(cpu_ratio, new_instructions, old_instructions, counts_instructions):
    """Whether speed is unchanged, and why not."""
    reasons = []
    if cpu_ratio > MOST_RATIO:
        reasons.append(f"CPU per request is {cpu_ratio:.3f} of the old, above {MOST_RATIO}")
    if counts_instructions:
        if new_instructions is None or old_instructions is None:
            reasons.append("instructions could not be counted")
        elif new_instructions > old_instructions + MOST_INSTRUCTIONS:
            reasons.append(f"{new_instructions - old_instructions:.1f} instructions more, above {MOST_INSTRUCTIONS:.0f}")
    return not reasons, "; ".join(reasons)


def against(folder, names, pairs, seconds):
    """Prints the figures of each part; whether speed is unchanged in all."""
    old_program = build_of(folder)
    targets = {"http": (bare_responder, "http", "/", (), True), "tls": (lambda core: nginx(core, True), "https", "/", (), False),
               "ws": (mock, "ws", "/ws", ECHO, True)}
    print(f"new: {TIDEMARK}\nold: {old_program}")
    is_unchanged = True
    for name in names:
        start, scheme, path, flags, counts_instructions = targets[name]
        new, old = Tidemark(*flags), Tidemark(*flags, program=old_program)
        new.name, old.name = "new", "old"
        rows = {"new": [], "old": []}
        with start(1) as port:
            url = f"{scheme}://127.0.0.1:{port}{path}"
            for number in range(pairs):
                for client in (new, old) if number % 2 == 0 else (old, new):
                    progress(f"{name}, pair {number + 1} of {pairs}: {client.name}")
                    rows[client.name].append(must_measure(client, url, 1, CONNECTIONS, seconds))
            progress(f"{name}: instructions" if counts_instructions else "")
            counts = [instructions(client.program, url, flags) if counts_instructions else None for client in (new, old)]
        progress("")
        unit = "message and its echo" if name == "ws" else "request"
        print(f"\n{name}: {CONNECTIONS} connections, same core, {pairs} pairs of {seconds} s, median (least to most)")
        for client in (new, old):
            print(f"  {client.name}: CPU {spread([row[0] for row in rows[client.name]], '{:.2f}')} us per {unit}, "
                  f"{spread([row[1] for row in rows[client.name]], '{:.0f}')} per second")
        print(f"  new / old: CPU {ratio(rows, 'new', 'old')}, per second {ratio(rows, 'new', 'old', 1)}")
        if counts_instructions and None not in counts:
            print(f"  instructions in user space: new {counts[0]:.1f}, old {counts[1]:.1f} per {unit}")
        median = statistics.median(a[0] / b[0] for a, b in zip(rows["new"], rows["old"]))
        holds, why = judge(median, *counts, counts_instructions)
        print(f"  {name}: " + ("unchanged" if holds else f"NOT unchanged: {why}"), flush=True)
        is_unchanged = is_unchanged and holds
    return is_unchanged


def main():
    parts = {"http": http, "tls": tls, "memory": memory, "connections": connections, "scale": scale, "swarm": swarm, "ws": ws,
             "micro": micro}
    parser = argparse.ArgumentParser(
        prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__ + "\nparts:\n" + "\n".join(f"  {name:<12} {part.__doc__}" for name, part in parts.items()))
    parser.add_argument("part", choices=[*parts, "all"])
    parser.add_argument("--against", metavar="DIR", help="another checkout, or build, of this project; see above")
    parser.add_argument("--rounds", type=int, help="5; with --against, pairs: 9")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--count", type=int, default=50_000, help="of part connections")
    parser.add_argument("--agents", type=int, default=1_000, help="of part swarm")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("scripts/bench: needs two cores")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.against is not None:
        names = ["http", "tls", "ws"] if options.part == "all" else [options.part]
        if names[0] not in ("http", "tls", "ws"):
            parser.error(f"--against: part {options.part} has no such form; use http, tls, ws or all")
        sys.exit(0 if against(options.against, names, options.rounds or 9, options.seconds) else 4)
    options.rounds = options.rounds or 5
    for name in parts if options.part == "all" else [options.part]:
        if name == "connections":
            connections(options.count, options.seconds)
        elif name == "swarm":
            swarm(options.agents, max(20, options.seconds))
        else:
            parts[name](options.rounds, options.seconds)


if __name__ == "__main__":
    main()
