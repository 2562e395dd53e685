"""The tests of what comes back from S3, against a real S3 server: a Ceph of one process each, in memory.

    apt-get install --no-install-recommends radosgw ceph-mon ceph-osd
    python scripts/test_s3.py [what pytest takes]

Everything is in a temporary folder and listens on loopback; what was started is ended by its process id.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph-authtool", "ceph")
TESTS = ("tests/cloud/test_home.py", "tests/cloud/test_home_original.py", "tests/cloud/test_storage.py")
PATIENCE_SECONDS = 120

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {folder}/keyring
auth allow insecure global id reclaim = false
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}
admin socket = {folder}/$name.asok
pid file =
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
crash dir = {folder}
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
rgw dns name = 127.0.0.1
"""

RIGHTS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}


class Ceph:
    """A cluster that lives as long as it is entered; `url` is its S3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._mon_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._conf = folder / "ceph.conf"
        self._fsid = str(uuid.uuid4())
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Ceph:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        where = {"fsid": self._fsid, "folder": self.folder, "port": self.port, "mon_port": self._mon_port}
        self._conf.write_text(CONFIGURATION.format(**where))
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        monmap = str(self.folder / "monmap")
        address = f"[v2:127.0.0.1:{self._mon_port}]"
        self.call("monmaptool", "--create", "--addv", "a", address, "--fsid", self._fsid, monmap)
        keyring = str(self.folder / "keyring")
        for name, rights in RIGHTS.items():
            caps = [word for service, right in rights.items() for word in ("--cap", service, right)]
            create = [] if (self.folder / "keyring").exists() else ["--create-keyring"]
            self.call("ceph-authtool", *create, keyring, "--gen-key", "-n", name, *caps)
        self.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self.start("ceph-mon", "-f", "-i", "a")
        osd = str(uuid.uuid4())
        self.call("ceph", "osd", "new", osd)
        self.call("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        self.call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.start("ceph-osd", "-f", "-i", "0")
        self.start("radosgw", "-f", "-n", "client.rgw")
        self._wait_for_s3()

    def keys(self) -> tuple[str, str]:
        """Access key and secret of a fresh user."""
        words = ("user", "create", "--uid", "tester", "--display-name", "tester")
        made = json.loads(self.call("radosgw-admin", "-n", "client.rgw", *words))
        return made["keys"][0]["access_key"], made["keys"][0]["secret_key"]

    def call(self, program: str, *words: str) -> str:
        alone = program in ("monmaptool", "ceph-authtool")
        command = [program, *words] if alone else [program, "-c", str(self._conf), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def start(self, program: str, *words: str) -> None:
        with (self.folder / f"{program}.out").open("wb") as out:
            command = [program, "-c", str(self._conf), *words]
            self._started.append(subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT))

    def _wait_for_s3(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise SystemExit(f"no S3 at {self.url} after {PATIENCE_SECONDS} s; see {self.folder}")

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            process.send_signal(signal.SIGKILL)  # nothing of it is wanted any more
            process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main(words: list[str]) -> int:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        print(
            f"{', '.join(missing)} not found; on Debian: "
            f"apt-get install --no-install-recommends radosgw ceph-mon ceph-osd",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="frustration-s3-") as folder, Ceph(Path(folder)) as ceph:
        access, secret = ceph.keys()
        print(f"Ceph {ceph.call('ceph', '--version').split()[2]} at {ceph.url}", flush=True)
        environment = {
            **os.environ,
            "TEST_S3_ENDPOINT": ceph.url,
            "TEST_S3_ACCESS_KEY": access,
            "TEST_S3_SECRET_KEY": secret,
        }
        command = [sys.executable, "-m", "pytest", *(words or TESTS)]
        return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
