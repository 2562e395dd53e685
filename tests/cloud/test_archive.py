"""An archive is taken whole or refused whole, and nothing in it decides where anything is written."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

import pytest
from home_kit import archive, files_in, named

from frustration.archive import DamagedArchive, HostileArchive, Limits, members

HONEST = {"./results.txt": b"97.50\n", "./study/trials/aa/x.json": b"{}" * 3000, "./empty": b""}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.tar.gz"
    path.write_bytes(content)
    return path


def read(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    found = members(path, limits) if limits else members(path)
    return {member.name: member.content() for member in found}


def test_the_members_of_an_honest_archive_come_with_their_names_and_contents(tmp_path):
    assert read(written(tmp_path, archive(HONEST))) == {
        name.removeprefix("./"): content for name, content in HONEST.items()
    }


def test_members_may_be_skipped_unread(tmp_path):
    path = written(tmp_path, archive(HONEST))
    assert [(member.name, member.size) for member in members(path)] == [
        ("results.txt", 6),
        ("study/trials/aa/x.json", 6000),
        ("empty", 0),
    ]


def test_every_form_that_tar_programs_write_is_read(tmp_path):
    long_name = "study/" + "n" * 150 + ".json"
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=form) as tar:
            folder = named("./study", kind=tarfile.DIRTYPE)
            tar.addfile(folder)
            name = "short.json" if form == tarfile.USTAR_FORMAT else long_name
            info = named(name, 4)
            info.mtime = 1.5
            tar.addfile(info, io.BytesIO(b"null"))
        assert read(written(tmp_path, packed.getvalue())) == {name: b"null"}


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "study/../../out",
        "/etc/out",
        "..",
        "a/..",
        "C:/out",
        "..\\out",
        "\\\\host\\out",
        "study\\..\\out",
    ],
)
def test_a_member_that_points_outside_condemns_the_archive_and_writes_nothing(name, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    path = written(folder, archive({"results.txt": b"97.50\n", name: b"evil"}))
    with pytest.raises(HostileArchive, match="points outside"):
        read(path)
    assert files_in(tmp_path) == {"here/model.tar.gz"}


@pytest.mark.parametrize(
    "kind,word",
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.CONTTYPE, "of the type"),
        (b"Z", "of the type"),
    ],
)
def test_what_is_no_plain_file_is_refused(kind, word, tmp_path):
    evil = named("results.txt", kind=kind, link="/etc/passwd")
    with pytest.raises(HostileArchive, match=word):
        read(written(tmp_path, archive([(evil, b"")])))


def test_a_sparse_file_is_refused_however_small_it_is_packed(tmp_path):
    info = named("results.txt", 0)
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(2**40),
    }
    with pytest.raises(HostileArchive, match="sparse"):
        read(written(tmp_path, archive([(info, b"")])))


def test_two_members_of_one_name_are_refused(tmp_path):
    twice = [(named("./results.txt", 1), b"1"), (named("results.txt", 1), b"2")]
    with pytest.raises(HostileArchive, match="two members"):
        read(written(tmp_path, archive(twice)))


def test_a_bomb_is_refused_long_before_it_is_unpacked(tmp_path):
    zeros = zlib.compressobj(9, wbits=31)
    head = named("results.txt", 2**40).tobuf(tarfile.GNU_FORMAT)
    bomb = zeros.compress(head) + b"".join(zeros.compress(bytes(2**20)) for _ in range(64)) + zeros.flush()
    assert len(bomb) < 2**17
    with pytest.raises(HostileArchive, match="1,099,511,627,776 bytes"):
        read(written(tmp_path, bomb))


@pytest.mark.parametrize(
    "limits,word",
    [
        (Limits(members=2), "more than 2 members"),
        (Limits(member_bytes=100), "100 are allowed"),
        (Limits(total_bytes=4096), "unpacked it has more than 4,096 bytes"),
        (Limits(packed_bytes=50), "more than 50 bytes"),
    ],
)
def test_every_limit_holds(limits, word, tmp_path):
    path = written(tmp_path, archive(HONEST))
    with pytest.raises(HostileArchive, match=word):
        read(path, limits)
    assert len(read(path)) == 3


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_wants_all_memory_is_refused(kind, tmp_path):
    head = named("x", 2**36, kind=kind).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(HostileArchive, match="wants 68,719,476,736 bytes"):
        read(written(tmp_path, gzip.compress(head + bytes(4096))))


def test_an_archive_cut_anywhere_is_damaged_and_gives_nothing(tmp_path):
    whole = archive(HONEST)
    for length in range(len(whole)):
        found = []
        with pytest.raises(DamagedArchive):
            found += members(written(tmp_path, whole[:length]))
        assert not found


def test_a_flipped_bit_is_noticed_before_anything_is_taken_or_changes_nothing(tmp_path):
    whole = archive(HONEST)
    honest = read(written(tmp_path, whole))
    noticed = 0
    for at in range(10, len(whole)):  # before that lies gzip's own header, with a time that means nothing
        torn = bytearray(whole)
        torn[at] ^= 16
        found = {}
        try:
            for member in members(written(tmp_path, bytes(torn))):
                found[member.name] = member.content()
        except (DamagedArchive, HostileArchive):
            noticed += 1
            assert not found
        else:
            assert found == honest
    assert noticed >= len(whole) - 10 - 2  # deflate has bits that mean nothing


def test_what_follows_the_end_of_the_members_is_not_skipped(tmp_path):
    plain = gzip.decompress(archive(HONEST))
    with pytest.raises(DamagedArchive, match="more data after its end"):
        read(written(tmp_path, gzip.compress(plain + b"hidden")))
    head_broken = bytearray(plain)
    second = plain.index(b"./study")
    head_broken[second] ^= 1
    with pytest.raises(DamagedArchive):
        read(written(tmp_path, gzip.compress(bytes(head_broken))))


@pytest.mark.parametrize(
    "content",
    [b"", b"not an archive", gzip.compress(b""), gzip.compress(b"no tar")],
    ids=["empty", "text", "nothing packed", "text packed"],
)
def test_what_is_no_archive_at_all_is_damaged(content, tmp_path):
    with pytest.raises(DamagedArchive):
        read(written(tmp_path, content))
