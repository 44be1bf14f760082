"""What opens one file of a stranger's folder safely, says in a sentence why it cannot, and finds pictures that look alike.

A file is judged by its content, not by its name. Two pictures count as near duplicates when both their difference hashes
(64 bits: is the next of 9 x 8 grey cells brighter?) and their thumbnails (16 x 16, grey) say so, mirrored or not. That
finds a copy that was scaled, compressed again, mirrored, or made grey; mostly one that is brighter or lost 2 % at its edges.
It misses one with 5 % or more cut off, with a border, turned by 90 degrees, and half of those turned by 2 degrees.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")  # not EPS, which runs a program
RAW = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"}
HIDDEN = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "icon\r"}  # and all that starts with a dot
SMALLEST, MOST_PIXELS, MOST_BYTES, DEEPEST = 8, 64_000_000, 500_000_000, 50
THREADS = min(os.cpu_count() or 1, 4)  # each may have to hold one large picture
HASH_BITS, CORRELATION = 10, 0.95  # near duplicates: at most so many bits differ, thumbnails correlate at least so
BEGINNINGS = {
    b"%PDF": "is a PDF, not a picture",
    b"PK\x03\x04": "is an archive or an office document, not a picture",
    b"version https://git-lfs": "only points to the picture (Git LFS); run `git lfs pull`",
    b"<svg": "is a drawing (SVG), not a photograph",
    b"<": "is a web page or other markup, not a picture",
    b"{": "is text, not a picture",
}


class Unreadable(Exception):
    """A file that gives no picture; the message is the rest of a sentence that begins with its name."""


@dataclass(frozen=True)
class Picture:
    """A picture as a square (size, size, 3) uint8, its format, its upright width and height, and what was done to it."""

    pixels: np.ndarray
    format: str
    sides: tuple[int, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What is remembered of a picture: digest of the file, hash and thumbnail as it is and mirrored, and how it was read."""

    digest: str
    hashes: tuple[int, int]
    thumbnail: np.ndarray
    picture: Picture


def read_picture(path: Path, size: int) -> Picture:
    """Return the whole picture in a file, upright, squashed to a square, transparent places white; or raise Unreadable.

    JPEG files are decoded at the smallest scale (1, 1/2, 1/4, 1/8) that has at least twice the pixels asked for.
    """
    return _guarded(path, lambda file: _decode(file, path, size))


def look_at(path: Path) -> Look:
    """Return what is remembered of the picture in a file; or raise Unreadable."""
    from PIL import Image, ImageOps

    def look(file: IO[bytes]) -> Look:
        picture = _decode(file, path, 64)
        file.seek(0)
        grey = Image.fromarray(picture.pixels).convert("L")
        hashes = _difference_hash(grey), _difference_hash(ImageOps.mirror(grey))
        seen = Picture(np.empty(0, "uint8"), picture.format, picture.sides, picture.remarks)
        return Look(hashlib.file_digest(file, "sha256").hexdigest(), hashes, _thumbnail(grey), seen)

    return _guarded(path, look)


def _difference_hash(grey: Opened) -> int:
    """Return 64 bits, one for each of 8 x 8 places: whether the next cell is brighter. Light and size do not count."""
    cells = np.asarray(grey.resize((9, 8), 4), dtype=int)  # 4: means over boxes
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes())


def _thumbnail(grey: Opened) -> np.ndarray:
    """Return 256 cells whose scalar product with those of another picture is the correlation; nearly 0 for blank ones."""
    cells = np.asarray(grey.resize((16, 16), 4), dtype="float32").ravel()
    return (cells - cells.mean()) / (16 * max(float(cells.std()), 4.0))


def group_alike(looks: Sequence[Look]) -> np.ndarray:
    """Return a group number for each picture, (n,): the same for equal files, near duplicates and what is linked by them.

    A block of pictures is compared with all that follow, so that memory stays flat; 10 000 take a few seconds.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = np.unique([look.digest for look in looks], return_inverse=True)[1]
    hashes = np.array([look.hashes for look in looks], dtype=np.uint64)
    thumbnails = np.stack([look.thumbnail for look in looks])
    mirrored = thumbnails.reshape(-1, 16, 16)[:, :, ::-1].reshape(-1, 256)
    for start in range(0, len(looks), 256):
        for side, own in enumerate((thumbnails, mirrored)):
            rows, columns = np.nonzero(own[start : start + 256] @ thumbnails[start:].T >= CORRELATION)
            rows, columns = rows + start, columns + start
            near = np.bitwise_count(hashes[rows, side] ^ hashes[columns, 0]) <= HASH_BITS
            links = groups[rows[near]], groups[columns[near]]
            shape = len(looks), len(looks)
            groups = connected_components(coo_array((np.ones(near.sum()), links), shape=shape), directed=False)[1][groups]
    return groups


def walk(folder: Path, *, roots: tuple[Path, ...] = (), hidden: bool = False, level: int = 0) -> Iterator[tuple[Path, str]]:
    """Yield every file below a folder, in order, and why not to open it ("" where nothing speaks against it).

    Links are followed unless they lead to what is inside anyway, or around in a circle; such a link, and a folder that
    cannot be read, count as one file.
    """
    roots = roots or (folder.resolve(),)
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield folder, f"is a folder that cannot be listed ({error.strerror})"
        return
    for path in paths:
        out_of_sight = hidden or is_hidden(path.name)
        if not path.is_dir():
            yield path, "is hidden, put there by a system or a program" if out_of_sight else ""
        elif level >= DEEPEST:
            yield path, f"is a folder more than {DEEPEST} levels down"
        elif not path.is_symlink():
            yield from walk(path, roots=roots, hidden=out_of_sight, level=level + 1)
        elif any(path.resolve().is_relative_to(root) or root.is_relative_to(path.resolve()) for root in roots):
            yield path, "is a link to a folder that is counted already"
        else:
            yield from walk(path, roots=(*roots, path.resolve()), hidden=out_of_sight, level=level + 1)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is none of the person's own."""
    return name.startswith(".") or name.casefold() in HIDDEN


def map_files(function: Callable[[Path], Any], paths: Sequence[Path], *, progress: bool = False) -> Iterator[Any]:
    """Yield what the function returns for each path, or the Unreadable that it raised; several at a time, in order."""
    from tqdm.auto import tqdm

    def safe(path: Path) -> Any:
        try:
            return function(path)
        except Unreadable as error:
            return error

    quiet = not progress or os.environ.get("WORKBOOK_PROGRESS") == "0"
    bar = tqdm(total=len(paths), desc="pictures", delay=2, leave=False, disable=quiet)
    with ThreadPoolExecutor(THREADS) as threads, bar:
        for start in range(0, len(paths), 64):
            with warnings.catch_warnings():  # not in the threads: Python has one list of filters for all
                warnings.simplefilter("ignore")
                found = list(threads.map(safe, paths[start : start + 64]))
            bar.update(len(found))
            yield from found


def shown(path: str | Path) -> str:
    """Return a name that can be printed anywhere: bytes that are no text, and control characters, are written out."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _guarded(path: Path, use: Callable[[IO[bytes]], Any]) -> Any:
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("is no ordinary file")
        if not state.st_size:
            raise Unreadable("is empty")
        if state.st_size > MOST_BYTES:
            raise Unreadable(f"has {state.st_size / 1e9:.1f} GB, more than a photograph has")
        with path.open("rb") as file:
            return use(file)
    except Unreadable:
        raise
    except Exception as error:  # a damaged file can fail in many ways
        raise Unreadable(_reason(error, path)) from error


def _reason(error: Exception, path: Path) -> str:
    """Return the end of the sentence for what Python or Pillow raised."""
    if isinstance(error, PermissionError):
        return "may not be read (no permission)"
    if isinstance(error, FileNotFoundError):
        return "is a link that leads nowhere" if path.is_symlink() else "is not there"
    if getattr(error, "errno", None) == errno.ELOOP:
        return "is a link that leads in a circle"
    if type(error).__name__ == "DecompressionBombError":
        return "has more than 178 million pixels; make it smaller"
    if type(error).__name__ == "UnidentifiedImageError":
        return _what_else(path)
    told = str(error)[:80] or type(error).__name__
    return f"is damaged ({'its end is missing' if 'truncated' in told.lower() else told})"


def _what_else(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    if head[4:8] == b"ftyp":
        phone = head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
        return "is HEIC, which cannot be read here; export it as JPEG" if phone else "is a film or a sound, not a picture"
    start, text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower(), head.decode("utf-8", "replace")
    for beginning, sentence in BEGINNINGS.items():
        if start.startswith(beginning.lower()):
            return sentence
    is_text = min(head) >= 9 and "\ufffd" not in text[:-4]  # the last letter may be cut
    return "is text, not a picture" if is_text else "is no picture, or one of a kind that cannot be read here"


@cache
def _formats() -> list[str]:
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _decode(file: IO[bytes], path: Path, size: int) -> Picture:
    from PIL import Image

    if path.suffix.lower() in RAW:
        raise Unreadable("is a camera's raw file; export it as JPEG")
    picture = Image.open(file, formats=_formats())
    name, sides, remarks = picture.format, picture.size, []
    if min(sides) < SMALLEST:
        raise Unreadable(f"has only {sides[0]} x {sides[1]} pixels; wanted at least {SMALLEST} on each side")
    picture.draft(None, (2 * size, 2 * size))
    if picture.width * picture.height > MOST_PIXELS:
        raise Unreadable(f"has {sides[0]} x {sides[1]} pixels, more than {MOST_PIXELS // 10**6} million; make it smaller")
    if name != "MPO" and getattr(picture, "is_animated", False):
        picture.seek(0)
        remarks.append("Moving or of several pages, the first picture counts")
    picture.load()
    turn, square = _turn(picture), _square(picture, size, remarks)
    if turn is not None:
        square = square.transpose(turn)
        remarks.append("Turned upright as the camera noted")
        sides = sides[::-1] if turn not in (0, 1, 3) else sides  # 0, 1 and 3 mirror, or turn by half
    usual = {"MPO": "JPEG", "JPEG2000": "JPEG 2000"}.get(name, name)
    if path.suffix and Image.registered_extensions().get(path.suffix.lower(), name) not in (name, usual):
        remarks.append(f"{usual} though the name ends in {shown(path.suffix)}")
    return Picture(np.asarray(square), usual, sides, tuple(remarks))


def _turn(picture: Opened) -> int | None:
    """Return how Pillow has to transpose the picture so that it is upright; None where it is, or says nothing."""
    from PIL.Image import Transpose as To

    try:
        orientation = picture.getexif().get(0x0112)
    except Exception:  # what stands there can be anything
        return None
    turns = {2: To.FLIP_LEFT_RIGHT, 3: To.ROTATE_180, 4: To.FLIP_TOP_BOTTOM, 5: To.TRANSPOSE}
    turns |= {6: To.ROTATE_270, 7: To.TRANSVERSE, 8: To.ROTATE_90}
    return turns.get(orientation)


def _square(picture: Opened, size: int, remarks: list[str]) -> Opened:
    """Return the picture as (size, size) in RGB, and add to the remarks what had to be done."""
    from PIL import Image

    def squash(whole: Opened) -> Opened:
        return whole.resize((size, size), Image.Resampling.BILINEAR)

    if picture.mode[0] in "IF":
        remarks.append(f"More than 8 bits a pixel ({picture.mode}), 8 are used")
        return _eight_bits(np.array(squash(picture.convert("F"))), whole=picture.mode.startswith("I;16"))
    if picture.has_transparency_data:
        clear = squash(picture.convert("RGBA"))
        if clear.getextrema()[3][0] < 255:
            remarks.append("Transparent in places, white there")
        return Image.alpha_composite(Image.new("RGBA", (size, size), "white"), clear).convert("RGB")
    if picture.mode in ("CMYK", "LAB", "HSV"):
        remarks.append(f"Colours as {picture.mode}, used as RGB")
    return squash(picture.convert("RGB"))


def _eight_bits(grey: np.ndarray, *, whole: bool) -> Opened:
    """Return grey values of any range as RGB: 16 bits as 8, others stretched from their least to their greatest."""
    from PIL import Image

    if not np.isfinite(grey).all():
        raise Unreadable("holds values that are no numbers (NaN or infinite)")
    low, high = (0, 65535) if whole else (grey.min(), max(grey.max(), grey.min() + 1e-6))
    return Image.fromarray((255 * (grey - low) / (high - low)).round().astype("uint8")).convert("RGB")
