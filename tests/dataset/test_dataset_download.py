"""Downloads over a real connection: verified before they take their name, nothing left of a failed one."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_datasets import emnist_like, mnist_like, pack, sha256, write

from frustration.dataset import DatasetError
from frustration.dataset.catalogue import Published
from frustration.dataset.loading import load_from
from frustration.dataset.places import download_folder, locate, obtain

Reply = bytes | Callable[[BaseHTTPRequestHandler], None]


class QuietHTTPServer(ThreadingHTTPServer):
    """A client that hangs up early is part of the tests, not worth a traceback."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Server:
    """A loopback server: `replies` maps paths to bytes or to a function; `requests` is what was asked for."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                reply = server.replies.get(self.path)
                if reply is None:
                    self.send_error(404)
                elif callable(reply):
                    reply(self)
                else:
                    start(self, len(reply))
                    self.wfile.write(reply)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = QuietHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


def start(handler: BaseHTTPRequestHandler, length: int | None) -> None:
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def serve(server: Server, contents: dict) -> None:
    server.replies |= {f"/{name}.gz": pack(data) for name, data in contents.items()}


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("pin", ["content", "packed"])
def test_missing_files_are_downloaded_once_and_stay(tmp_path, server, pin, capsys):
    entry, contents = mnist_like(address=server.address, pin=pin)
    serve(server, contents)
    folder = tmp_path / "new" / "tiny"
    assert len(load_from(entry, obtain(entry, folder)).train) == 15
    assert left_in(folder) == sorted(f"{name}.gz" for name in contents)
    assert "downloaded" in capsys.readouterr().err
    load_from(entry, obtain(entry, folder))
    assert len(server.requests) == 4


def test_only_what_a_folder_lacks_is_downloaded(tmp_path, server):
    entry, contents = mnist_like(address=server.address)
    serve(server, contents)
    present, *absent = contents
    write(tmp_path, {present: contents[present]})
    obtain(entry, tmp_path)
    assert server.requests == [f"/{name}.gz" for name in absent]


def test_the_next_address_is_tried_after_an_error_and_after_wrong_bytes(tmp_path, server):
    entry, contents = mnist_like(address=server.address)
    serve(server, contents)
    server.replies["/wrong"] = pack(b"something else")
    wrong = (f"{server.address}/absent", f"{server.address}/wrong")
    files = tuple(
        replace(file, published=replace(file.published, urls=(*wrong, *file.published.urls)))
        for file in entry.files
    )
    entry = replace(entry, files=files)
    assert len(load_from(entry, obtain(entry, tmp_path)).train) == 15


def torn(handler: BaseHTTPRequestHandler) -> None:
    start(handler, 1000)
    handler.wfile.write(bytes(100))


def endless(handler: BaseHTTPRequestHandler) -> None:
    start(handler, None)
    for _ in range(1000):
        handler.wfile.write(bytes(10_000))


def huge(handler: BaseHTTPRequestHandler) -> None:
    start(handler, 10**12)


def to_plain_http(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://example.org/file")
    handler.end_headers()


FAILURES = {
    "broken off": (torn, "broke off after 100 of 1,000 bytes"),
    "without end": (endless, "sends more than 10,000 bytes"),
    "too large": (huge, "offers 1,000,000,000,000 bytes where at most 10,000 are expected"),
    "redirected to http": (to_plain_http, "http://example.org/file is not https"),
    "different": (pack(b"not this"), "sent a damaged or different"),
    "no gzip": (b"<html>please log in</html>", "sent a damaged or different"),
    "absent": (None, "Not Found"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("pin", ["content", "packed"])
def test_a_failed_download_says_why_and_leaves_nothing(tmp_path, server, failure, pin):
    reply, reason = FAILURES[failure]
    entry, contents = mnist_like(address=server.address, pin=pin)
    server.replies |= {f"/{name}.gz": reply for name in contents}
    with pytest.raises(DatasetError) as caught:
        obtain(entry, tmp_path / "tiny")
    assert reason in str(caught.value)
    assert left_in(tmp_path / "tiny") == []


def test_an_interrupted_download_leaves_nothing(tmp_path, server):
    began = threading.Event()

    def stalled(handler: BaseHTTPRequestHandler) -> None:
        start(handler, 600_000)
        handler.wfile.write(bytes(300_000))
        began.set()
        time.sleep(60)

    server.replies["/stalled"] = stalled
    code = f"""
from pathlib import Path
from frustration.dataset.catalogue import MNIST, Published
from frustration.dataset.download import fetch
fetch(MNIST, Published("file.gz", ("{server.address}/stalled",), 10**6), Path({str(tmp_path / "folder")!r}))
"""
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        assert began.wait(30)
        wait_for(lambda: any((tmp_path / "folder").glob(".file.gz.*.part")))
        child.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in child.communicate(timeout=30)[1]
    finally:
        child.kill()
    assert left_in(tmp_path / "folder") == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_archive_that_can_be_had_is_enough(tmp_path, server):
    entry, archive, _ = emnist_like(address=server.address)
    absent = Published("other.zip", (f"{server.address}/other.zip",), 100_000, sha256(b""))
    server.replies["/gzip.zip"] = archive
    entry = replace(entry, archives=(absent, *entry.archives))
    assert len(load_from(entry, obtain(entry, tmp_path)).test) == 8
    assert left_in(tmp_path) == ["gzip.zip"]


def test_offline_one_sentence_says_which_files_go_where(tmp_path):
    entry, contents = mnist_like()  # nothing listens on port 9
    with pytest.raises(DatasetError) as caught:
        obtain(entry, tmp_path / "tiny")
    message = str(caught.value)
    assert message.startswith("tiny: not on this machine, and the download failed (127.0.0.1: ")
    assert all(f"{name}.gz" in message for name in contents)
    assert message.endswith(f"from http://127.0.0.1:9/ into {tmp_path / 'tiny'}")
    assert "\n" not in message
    assert not (tmp_path / "tiny").exists()


def test_offline_an_incomplete_folder_is_told_only_what_it_lacks(tmp_path):
    entry, contents = mnist_like()
    present, *absent = contents
    write(tmp_path, {present: contents[present]})
    with pytest.raises(DatasetError, match=f"{tmp_path} lacks 3 of its files") as caught:
        obtain(entry, tmp_path)
    assert all(name in str(caught.value) for name in absent)
    assert present not in str(caught.value)


def test_plain_http_is_refused_beyond_this_machine(tmp_path):
    entry, _ = mnist_like(address="http://example.org")
    with pytest.raises(DatasetError, match=r"http://example.org/train-images-idx3-ubyte.gz is not https"):
        obtain(entry, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, server):
    entry, contents = mnist_like(address=server.address)
    serve(server, contents)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte.gz cannot be written into .*/file"):
        obtain(entry, tmp_path / "file")


def test_downloads_go_to_the_checkout_and_are_found_there(tmp_path, monkeypatch):
    entry, contents = mnist_like(name="not-a-real-data-set")
    monkeypatch.chdir(tmp_path)
    assert download_folder(entry) == Path(__file__).parents[2] / "dataset" / "not-a-real-data-set"
    assert locate(entry) is None
    write(tmp_path / "dataset" / "not-a-real-data-set", contents)
    assert locate(entry) == tmp_path / "dataset" / "not-a-real-data-set"
