"""Tells what images hold, from their tars alone: not by our own reader, without a file system, and so without root.

Each line of standard input is a question, each line of standard output its answer, both JSON:
  {"blobs": DIRECTORY, "manifest": DIGEST, "base": [DIRECTORY, DIGEST]?}
  {"tree": [LINE...], "config": {...}} or {"error": TEXT}

A line of the tree is a path and all that an image can say of it. Of an image that stands on the base, only what differs from it is told. A time
is told where it is an old one: those of the fixtures are, and what a build makes now is not.
"""

import copy
import gzip
import hashlib
import json
import os
import platform
import re
import sys
import tarfile

RECENT = 1_500_000_000
SHOWN = 60
TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}


def shown(name):
    """Text of any bytes: what is not printable ASCII, as \\xNN."""
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in name)


def raw(text):
    return text.encode("utf-8", "surrogateescape")


class Node:
    """An inode: hard links share one."""

    def __init__(self, tar, member, layer):
        self.layer = layer
        self.type = TYPES.get(member.type, f"type-{member.type!r}")
        self.mode, self.owner, self.mtime = member.mode, (member.uid, member.gid), member.mtime
        self.rest = []
        self.digest = None
        if self.type == "file":
            self.read(tar.extractfile(member))
        elif self.type == "link":
            self.rest = ["->", shown(raw(member.linkname))]
        elif self.type in ("char", "block"):
            self.rest = [f"{member.devmajor},{member.devminor}"]
        self.xattrs = {raw(key[13:]): raw(value) for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}

    def read(self, file):
        digest, size, start = hashlib.sha256(), 0, b""
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
            start = start or piece
        self.digest, self.size = digest.hexdigest(), size
        self.rest = [str(size), self.digest[:16]]
        # What is short and printable is shown: so a difference is read at once.
        if size <= SHOWN and all(0x20 <= byte < 0x7F or byte in (9, 10, 13) for byte in start):
            self.rest.append(json.dumps(start.decode()))

    def line(self, path, first, known):
        words = [f"/{shown(path)}", self.type, f"{self.mode:o}", f"{self.owner[0]}:{self.owner[1]}"]
        # The base is made of what the machine has: its programs are named, not digested.
        words += [f"like /{shown(known[self.digest])}"] if self.digest in known else self.rest
        if first != path:
            words.append(f"=/{shown(first)}")
        words += [f"{shown(name)}={self.xattrs[name].hex()}" for name in sorted(self.xattrs)]
        if self.mtime < RECENT:
            words.append(f"@{int(self.mtime // 1)}")
        return " ".join(words)


def parents(path):
    while b"/" in path:
        path = path.rsplit(b"/", 1)[0]
        yield path


def remove(tree, path):
    tree.pop(path, None)
    clear(tree, path)


def clear(tree, path, layers=None):
    """Removes what is in the directory; with `layers` only what is of a layer below that one."""
    for each in [each for each in tree if path == b"" or each.startswith(path + b"/")]:
        if each != b"" and (layers is None or tree[each].layer < layers):
            del tree[each]


def apply(tree, tar, layer):
    for member in tar:
        path = raw(member.name).removeprefix(b"./").strip(b"/")
        if path == b".":
            path = b""
        folder, _, name = path.rpartition(b"/")
        if name == b".wh..wh..opq":
            clear(tree, folder, layer)
        elif name.startswith(b".wh."):
            remove(tree, os.path.join(folder, name[4:]))
        else:
            place(tree, path, tree[raw(member.linkname).removeprefix(b"./").strip(b"/")] if member.islnk() else Node(tar, member, layer))


def place(tree, path, node):
    for parent in parents(path):
        if parent not in tree:
            raise ValueError(f"/{shown(path)} has no parent")
        if tree[parent].type != "dir":
            raise ValueError(f"the parent of /{shown(path)} is no directory")
    if path in tree and not (tree[path].type == node.type == "dir"):
        remove(tree, path)
    tree[path] = node


def opened(path):
    file = open(path, "rb")
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file


def blob(blobs, digest):
    return os.path.join(blobs, *digest.split(":"))


def read_json(path):
    with open(path, "rb") as file:
        return json.load(file)


class Image:
    def __init__(self, blobs, digest, base=None):
        manifest = read_json(blob(blobs, digest))
        if "manifests" in manifest:
            manifest = read_json(blob(blobs, manifest["manifests"][0]["digest"]))
        self.config = read_json(blob(blobs, manifest["config"]["digest"]))
        self.diff_ids = self.config["rootfs"].get("diff_ids") or []
        self.base = base if base and self.diff_ids[: len(base.diff_ids)] == base.diff_ids else None
        self.tree = dict(self.base.tree) if self.base else {}
        layers = manifest.get("layers") or []
        for number, descriptor in enumerate(layers):
            if self.base and number < len(self.base.diff_ids):
                continue
            # Python's own stream mode stops after a gzip file's first member.
            with opened(blob(blobs, descriptor["digest"])) as file, tarfile.open(fileobj=file, mode="r|", errorlevel=2) as tar:
                apply(self.tree, tar, number)

    def lines(self, known):
        inodes, lines = {}, {}
        for path in sorted(self.tree):
            node = self.tree[path]
            first = inodes.setdefault(id(node), path)
            lines[path] = node.line(path, first, known)
        if lines.get(b"", "").startswith("/ dir 755 0:0"):
            del lines[b""]
        return lines


def known_files(base):
    return {node.digest: path for path, node in base.tree.items() if node.digest and node.size > 10_000} if base else {}


def difference(image, base):
    known = known_files(base)
    lines = image.lines(known)
    if not image.base:
        return list(lines.values())
    before = image.base.lines(known)
    changed = [line for path, line in lines.items() if line not in (before.get(path), untimed(before.get(path)))]
    return changed + [f"/{shown(path)} is gone" for path in before if path not in lines]


def untimed(line):
    """A new time alone is no difference: what was made in a directory has changed it."""
    return line and re.sub(r" @-?\d+$", "", line)


NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def told_config(image):
    """The config without what a build makes anew each time, without this machine's architecture, and without the base's history."""
    config = copy.deepcopy(image.config)
    del config["rootfs"]
    config.pop("created", None)
    if config.get("architecture") == NATIVE:
        del config["architecture"]
    rows = config.pop("history", None) or []
    config["history"] = [told_row(row) for row in rows[len(image.base.config.get("history") or []) if image.base else 0 :]]
    return config


def sorted_keys(value):
    return json.loads(json.dumps(value, sort_keys=True))


def told_row(row):
    return {key: value for key, value in row.items() if key != "created"}


def main():
    bases = {}
    for question in sys.stdin:
        try:
            asked = json.loads(question)
            base = tuple(asked["base"]) if asked.get("base") else None
            if base and base not in bases:
                bases[base] = Image(*base)
            image = Image(asked["blobs"], asked["manifest"], bases.get(base))
            answer = {"tree": sorted(difference(image, bases.get(base))), "config": sorted_keys(told_config(image))}
        except Exception as error:  # The asker says which image it was.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
