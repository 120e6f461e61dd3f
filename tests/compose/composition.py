"""One composition of the project's docker-compose.yml: its commands, and what the engine knows of it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

COMMAND_SECONDS = 300
HERE = pathlib.Path(__file__).resolve().parent


class CommandFailed(Exception):
    pass


def end_group(child):
    """If it still runs, with the plugin that it runs in turn: what that starts after the end would be left."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class Composition:
    """`folder` holds docker-compose.yml; `files` are laid over it. Every command and its output go to the log."""

    def __init__(self, folder, project, log, settings, files=()):
        self.folder = folder
        self.project = project
        self.log = log
        kept = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
                "http_proxy", "https_proxy", "no_proxy", "TMPDIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ} | settings
        self.files = [folder / "docker-compose.yml", HERE / "ports.yml", *files]

    # -- commands --

    def run(self, *arguments, seconds=COMMAND_SECONDS, stdin=b"", check=True):
        """Standard output of a command, as text."""
        began = time.monotonic()
        words = " ".join(map(str, arguments))
        child = subprocess.Popen(arguments, cwd=self.folder, env=self.environment, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = child.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"not within {seconds} s: {words}") from None
        finally:
            end_group(child)
        with self.log.open("ab") as log:
            log.write(f"$ {words}  ({time.monotonic() - began:.1f} s, ended at {time.strftime('%H:%M:%S')})\n".encode() + out + err)
        if check and child.returncode != 0:
            end = (err or out).decode(errors="replace").strip().splitlines()[-1:]
            raise CommandFailed(f"exit status {child.returncode} of {words}: {' '.join(end)}")
        return out.decode(errors="replace")

    def compose(self, *arguments, **options):
        """`docker compose` as a user types it, but for the files, the project's name and the user's own .env."""
        files = [word for file in self.files for word in ("-f", str(file))]
        return self.run("docker", "compose", "--project-directory", str(self.folder), "--env-file", os.devnull,
                        "-p", self.project, *files, *arguments, **options)

    def up(self, *arguments):
        self.compose("up", "-d", "--wait", "--wait-timeout", "200", *arguments)

    def execute(self, service, *command, **options):
        return self.run("docker", "exec", self.containers(service)[0]["Id"], *command, **options)

    def logs(self, service):
        return self.compose("logs", "--no-color", "--no-log-prefix", service)

    def remove(self):
        """All that it left, whatever state it is in."""
        with contextlib.suppress(CommandFailed, OSError):
            self.compose("down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "5")

    # -- the engine's side --

    def containers(self, service):
        """What the engine knows of each of its containers, those that have ended included. (Compose tells it too, many times
        more slowly.)"""
        labels = (f"project={self.project}", f"service={service}", "oneoff=False")
        filters = [word for label in labels for word in ("--filter", f"label=com.docker.compose.{label}")]
        found = self.run("docker", "ps", "--all", "--quiet", *filters).split()
        return json.loads(self.run("docker", "inspect", *found)) if found else []

    def image(self, service):
        return json.loads(self.run("docker", "image", "inspect", f"{self.project}-{service}"))[0]

    def healthy(self, service):
        """How many of its containers are."""
        return sum(one["State"].get("Health", {}).get("Status") == "healthy" for one in self.containers(service))

    def kill(self, service):
        """`docker kill` of all its containers: by the engine's rules a restart policy does not bring those back."""
        self.run("docker", "kill", *(one["Id"] for one in self.containers(service)))

    def crash(self, service):
        """SIGKILL to the program, from within: its container ends, and the restart policy brings it back."""
        self.execute(service, "sh", "-c", "kill -KILL -1", check=False)

    def stop(self, *services):
        """`docker compose stop`. How many seconds the last of the containers took from its signal to its end, by the engine's
        own clock: what Compose and the engine need besides is not the programs'."""
        since = time.time()
        self.compose("stop", *services)
        told = self.run("docker", "events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}", "--format", "{{json .}}",
                        "--filter", "type=container", "--filter", f"label=com.docker.compose.project={self.project}")
        events = [json.loads(line) for line in told.splitlines()]
        signalled = {event["id"]: event["timeNano"] for event in reversed(events) if event["Action"] == "kill"}
        return max((event["timeNano"] - signalled[event["id"]]) / 1e9 for event in events if event["Action"] == "die")

    def volumes(self):
        return self.run("docker", "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={self.project}").split()

    # -- what goes through it --

    def queues(self):
        """name → messages, those that a consumer holds included."""
        lines = self.execute("rabbitmq", "rabbitmqctl", "list_queues", "--silent", "name", "messages").splitlines()
        return {name: int(count) for name, count in (line.split("\t") for line in lines if "\t" in line)}

    def spool(self):
        """As the bridge's /readyz says it: "empty", "3 waiting", ..."""
        return json.loads(self.execute("bridge", "dropbridge", "--health"))["spool"]

    def at_rest(self):
        with contextlib.suppress(CommandFailed):  # a broker that starts cannot tell
            return self.spool() == "empty" and self.queues().get("dropcowboy.events") == 0
        return False
