"""The photographs of clothes, a real target: where they come from, how they are kept, verified and decoded.

A folder that the user names comes first, then our cache, then the archive of one commit of a public repository, of which
only the course's part is kept (`photographs.toml`). None is trusted: at every load the SHA-256 has to be the known one.
"""

import hashlib
import logging
import os
import re
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

from helpers._machinery.downloads import AssetError, cache_folder, download_file, fetch_once
from helpers._machinery.photographs import PARTS, TABLES

log = logging.getLogger(__name__)
Key = tuple[str, ...]  # part, class and name of a photograph: its path
VARIABLE, CLOTHING = "WORKBOOK_CLOTHING", TABLES["clothing"]


class PhotographsMissing(AssetError):
    """The photographs of clothes cannot be had; the message is one sentence on what was tried and what can be done."""


def clothing_path() -> Path:
    """Return the folder that the user names in WORKBOOK_CLOTHING, else the place in the cache."""
    own = os.environ.get(VARIABLE)
    return Path(own).expanduser().resolve() if own else cache_folder() / "photographs" / "clothing"


def clothing_folder() -> Path:
    """Return the folder with the photographs of clothes, for `image_dataset_from_directory`; like `load_clothing` else.

    In it are train, validation and test, each with one folder a class. They have been verified, and fetched if need be.
    """
    read_clothing()
    return clothing_path()


def read_clothing(*, fetch: bool = True) -> dict[Key, bytes] | None:
    """Return the verified files, by (part, class, name) in order; where there are none fetch them, or return None."""
    folder = clothing_path()
    try:
        return _read_files(folder)
    except (AssetError, OSError) as error:
        if os.environ.get(VARIABLE):
            advice = "Correct the path, or unset the variable to have the photographs fetched."
            raise AssetError(f"{VARIABLE} names a folder that cannot be used: {error}. {advice}") from error
        if fetch and folder.exists():
            log.warning("The photographs of clothes in the cache are damaged: %s. They are fetched again.", error)
    return _fetch() if fetch else None


def _read_archive(path: Path) -> dict[Key, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            [root] = zipfile.Path(archive).iterdir()
            return _read_files(root, most=CLOTHING["train_per_class"])
    except AssetError as error:
        raise AssetError(str(error).replace(f"{path}/", "the archive's ")) from error
    except Exception as error:  # a damaged archive can fail in many ways
        raise AssetError(f"what came is not the whole archive: {error}") from error


def _read_files(root: Path | zipfile.Path, *, most: int | None = None) -> dict[Key, bytes]:
    """Return the verified files below a folder, on the disk or in an archive; of each class of train the first `most`."""
    files, digest = {}, hashlib.sha256()
    for part in sorted(PARTS):
        if (found := _names(root / part)) != CLOTHING["classes"]:
            wanted = ", ".join(CLOTHING["classes"])
            raise AssetError(f"{root / part} has the folders {', '.join(found) or '(none)'}, not {wanted}")
        for name in found:
            for file in _names(root / part / name)[: most if part == "train" else None]:
                content = files[part, name, file] = root.joinpath(part, name, file).read_bytes()
                digest.update(f"{part}/{name}/{file}\0".encode() + content)
    if digest.hexdigest() != CLOTHING["digest"]:
        numbers = [[counts[part] for part in PARTS] for counts in (Counter(key[0] for key in files), CLOTHING["parts"])]
        raise AssetError(f"{root} holds {numbers[0]} files ({', '.join(PARTS)}), not {numbers[1]}, or others (SHA-256)")
    return files


def _names(folder: Path | zipfile.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _fetch() -> dict[Key, bytes]:
    """Return the files from the archive, now in the cache. One process fetches, others wait."""
    place, url = clothing_path(), CLOTHING["url"]

    def fetch(incoming: Path) -> dict[Key, bytes]:
        progress = os.environ.get("WORKBOOK_PROGRESS") != "0"
        files = _read_archive(download_file(url, known_hash=None, folder=incoming, progress=progress))
        for key, content in files.items():
            path = Path(incoming, "whole", *key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if place.exists():
            os.replace(place, incoming / "damaged")
        os.replace(incoming / "whole", place)
        return files

    try:
        read = partial(_read_files, place)
        return fetch_once("clothing", what="photographs", folder=place.parent, read=read, fetch=fetch)
    except (AssetError, OSError) as error:  # those of requests, too, which say at their end what the system said
        told = re.findall(r"\[Errno[^\]]*\][^\"()]*", str(error)) if isinstance(error, OSError) else []
        reason = [str(error)[:400], *told][-1].strip(". ")
        raise PhotographsMissing(
            f"The photographs of clothes are not here: {VARIABLE} names no folder, "
            f"{str(place).replace(str(Path.home()), '~')} does not hold them, and {url} could not be fetched into it "
            f"({reason}); run `python -m helpers photographs` where there is a network and room on the disk, or let "
            f"{VARIABLE} name a folder that holds them."
        ) from error
