"""Downloads: https, a time limit, and a temporary file that is renamed once its content is verified."""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from frustration.dataset.catalogue import DatasetError, Entry, Published
from frustration.dataset.contents import verify_published
from frustration.sinks import printable, unfenced

TIMEOUT = 20.0  # seconds without a byte
BLOCK = 1 << 18
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Unreachable(Exception):
    """Why no address gave the file."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to addresses that would be accepted in the first place."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str) -> None:
    """https, or a mirror on this very machine."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise Unreachable(f"{url} is not https")


def fetch_all(entry: Entry, files: Sequence[Published], folder: Path) -> None:
    """Every one of the files into `folder`; Unreachable at the first that cannot be had."""
    for published in files:
        fetch(entry, published, folder)


def fetch_any(entry: Entry, files: Sequence[Published], folder: Path) -> None:
    """The first of the files that can be had into `folder`; Unreachable, with all reasons, if none can."""
    reasons = []
    for published in files:
        try:
            return fetch(entry, published, folder)
        except Unreachable as reason:
            reasons.append(str(reason))
    raise Unreachable("; ".join(reasons))


def fetch(entry: Entry, published: Published, folder: Path) -> None:
    """`published` at its place in `folder`, from the first address that gives the right bytes."""
    reasons = []
    for url in published.urls:
        try:
            return _fetch_from(url, entry, published, folder)
        except Unreachable as reason:
            reasons.append(str(reason))
        except OSError as error:
            why = error.strerror or error
            raise DatasetError(f"{published.name} cannot be written into {folder}: {why}") from error
    raise Unreachable("; ".join(reasons))


def _fetch_from(url: str, entry: Entry, published: Published, folder: Path) -> None:
    blocks = receive(url, published.limit)
    first = next(blocks, b"")  # nothing is created before the address has answered
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{published.name}.{uuid.uuid4().hex}.part"
    try:
        with temporary.open("wb") as target:
            target.write(first)
            for block in blocks:
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        verify_published(entry, published, temporary)
        temporary.replace(folder / published.name)
    except DatasetError as error:  # its sentence would name the temporary file
        host = urllib.parse.urlsplit(url).hostname
        raise Unreachable(f"{host} sent a damaged or different {published.name}") from error
    finally:
        temporary.unlink(missing_ok=True)


def receive(url: str, limit: int) -> Iterator[bytes]:
    """The bytes behind `url` in blocks; at most `limit` of them."""
    check_address(url)
    host = urllib.parse.urlsplit(url).hostname
    request = urllib.request.Request(url, headers={"User-Agent": "frustration-engine"})
    received = 0
    try:
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as response:
            total = int(response.headers.get("Content-Length") or 0)
            if total > limit:
                raise Unreachable(f"{host} offers {total:,} bytes where at most {limit:,} are expected")
            while block := response.read(BLOCK):
                received += len(block)
                if received > limit:
                    raise Unreachable(f"{host} sends more than {limit:,} bytes")
                _progress(url, received, total)
                yield block
    except urllib.error.URLError as error:  # HTTPError included
        raise Unreachable(f"{host}: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{host}: {error}") from error
    if received < total:
        raise Unreachable(f"{host} broke off after {received:,} of {total:,} bytes")


def _progress(url: str, received: int, total: int) -> None:
    """One line on stderr: rewritten in place on a terminal, otherwise written once, when done."""
    share = f"{100 * received // total} %" if total else f"{received / 1e6:.1f} MB"
    if sys.stderr.isatty():
        print(
            f"\rdownloading {printable(url)}: {share}",
            end="\n" if received == total else "",
            file=unfenced(sys.stderr),
            flush=True,
        )
    elif received == total:
        print(f"downloaded {url}: {received:,} bytes", file=sys.stderr)
