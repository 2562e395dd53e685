"""One instance for one job: channels in, a real process, checkpoints and model out, by the contract of AWS.

Where the machine allows it, the process is number 1 of a private namespace with its own /opt/ml; elsewhere it
is a plain process that is told of its folder by SAGEMAKER_BASE_DIR, as AWS's toolkit is.
"""

import functools
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

FOLDERS = ("input/config", "input/data", "model", "checkpoints", "output/data", "code")
SYNC_SECONDS = 0.2
GROUP = "/aws/sagemaker/TrainingJobs"
WITH_OPT_ML = 'mount -t tmpfs none /opt && mkdir /opt/ml && mount --bind "$0" /opt/ml && exec "$@"'
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@functools.cache
def has_namespaces() -> bool:
    """Whether processes can have an /opt/ml of their own here, and Python does not itself lie below /opt."""
    if not shutil.which("unshare") or any(p.startswith("/opt/") for p in (sys.base_prefix, sys.prefix)):
        return False
    done = subprocess.run([*UNSHARE, "sh", "-c", "mount -t tmpfs none /opt"], capture_output=True)
    return done.returncode == 0


class Machine:
    """The instance; it is gone when the process has ended."""

    def __init__(self, clients: dict[str, Any], request: dict[str, Any], namespaces: bool) -> None:
        self._s3, self._logs = clients["s3"], clients["logs"]
        self._request, self._namespaces = request, namespaces
        self.base = Path(tempfile.mkdtemp(prefix="instance-"))
        self._pushed: dict[str, tuple[int, int]] = {}
        self.uploads = 0
        """How many checkpoint files have been uploaded from here."""
        self.loops = 0
        """How many loops the log tells of."""

    def stage(self) -> None:
        """Channels, checkpoints and configuration, as a container finds them."""
        for folder in FOLDERS:
            (self.base / folder).mkdir(parents=True)
        for channel in self._request.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._pull(source, self.base / "input/data" / channel["ChannelName"])
        if self._checkpoints:
            self._pull(self._checkpoints, self.base / "checkpoints")
        config = self.base / "input/config"
        names = [channel["ChannelName"] for channel in self._request.get("InputDataConfig", [])]
        kind = self._request["ResourceConfig"]["InstanceType"]
        resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": kind}
        for name, content in (
            ("hyperparameters", self._request.get("HyperParameters", {})),
            ("inputdataconfig", {name: {"TrainingInputMode": "File"} for name in names}),
            ("resourceconfig", {**resources, "network_interface_name": "lo"}),
        ):
            (config / f"{name}.json").write_text(json.dumps(content))

    def start(self, stream: str) -> None:
        """The job's entry point; what it prints goes to CloudWatch."""
        algorithm = self._request["AlgorithmSpecification"]
        words = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(Path.home()),
            "TRAINING_JOB_NAME": self._request["TrainingJobName"],
            **self._request.get("Environment", {}),
        }
        if self._namespaces:
            words = [*UNSHARE, "sh", "-c", WITH_OPT_ML, str(self.base), *words]
        else:
            words = [word.replace("/opt/ml", str(self.base)) for word in words]
            environment["SAGEMAKER_BASE_DIR"] = str(self.base)
        self.process = subprocess.Popen(
            words,
            env=environment,
            cwd=self.base / "code",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def _read(self, stream: str) -> None:
        """Lines are counted at once, and sent on a few times a second."""
        self._logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        assert self.process.stdout
        events: list[dict[str, Any]] = []
        sent = time.monotonic()
        for line in self.process.stdout:
            self.loops += line.startswith('{"type": "loop"')
            events.append({"timestamp": int(time.time() * 1000), "message": line.rstrip("\n") or " "})
            if time.monotonic() - sent > SYNC_SECONDS:
                self._logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)
                events, sent = [], time.monotonic()
        if events:
            self._logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    def signal(self, number: signal.Signals) -> None:
        """To the container's process 1 alone, as a container runtime does; SIGKILL ends all of it."""
        if number == signal.SIGKILL:
            self.process.kill()
            return
        pid = self.process.pid
        if self._namespaces:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                return
            pid = int(children[0])
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return

    def sync(self) -> None:
        """Upload the checkpoint files that have changed."""
        if not self._checkpoints:
            return
        bucket, prefix = _parts(self._checkpoints)
        for path in sorted((self.base / "checkpoints").rglob("*")):
            try:
                state, content = path.stat(), path.read_bytes() if path.is_file() else None
            except FileNotFoundError:
                continue
            name, stamp = str(path.relative_to(self.base / "checkpoints")), (state.st_mtime_ns, state.st_size)
            if content is not None and self._pushed.get(name) != stamp:
                self._s3.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=content)
                self._pushed[name] = stamp
                self.uploads += 1

    def upload_model(self) -> None:
        """model.tar.gz, if there is anything in model/."""
        if not any((self.base / "model").iterdir()):
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            tar.add(self.base / "model", arcname=".")
        output, name = self._request["OutputDataConfig"]["S3OutputPath"], self._request["TrainingJobName"]
        bucket, prefix = _parts(f"{output.rstrip('/')}/{name}/output/model.tar.gz")
        self._s3.put_object(Bucket=bucket, Key=prefix, Body=packed.getvalue())

    def failure(self) -> str:
        """What the job itself says of why it failed."""
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def _checkpoints(self) -> str:
        return str(self._request.get("CheckpointConfig", {}).get("S3Uri", ""))

    def _pull(self, uri: str, folder: Path) -> None:
        """All keys that begin so; what follows the last "/" of the prefix is their path."""
        bucket, prefix = _parts(uri)
        for key in _keys(self._s3, bucket, prefix):
            path = folder / key[prefix.rfind("/") + 1 :]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (one["Key"] for one in page.get("Contents", []))


def _parts(uri: str) -> tuple[str, str]:
    parsed = urlparse(uri)
    return parsed.netloc, parsed.path.lstrip("/")
