"""tree.py DIRECTORY: one line for each path below it, names escaped, with all that an image can say of it, as JSON: {path: line}.

Not our own reader, nor our own writer. A time is told where it is an old one: those of the fixtures are, and what a build makes now is not.
"""

import hashlib
import json
import os
import stat
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
RECENT = 1_500_000_000


def shown(name):
    """Text of any bytes: what is not printable ASCII, as \\xNN."""
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in name)


def paths(directory, below=b""):
    for name in sorted(os.listdir(os.path.join(directory, below))):
        path = os.path.join(below, name)
        yield path
        if stat.S_ISDIR(os.lstat(os.path.join(directory, path)).st_mode):
            yield from paths(directory, path)


def content(path):
    sum = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sum.update(piece)
    return sum.hexdigest()[:16]


def describe(directory, path, inodes):
    full = os.path.join(directory, path)
    info = os.lstat(full)
    words = [TYPES[stat.S_IFMT(info.st_mode)], f"{stat.S_IMODE(info.st_mode):o}", f"{info.st_uid}:{info.st_gid}"]
    if stat.S_ISREG(info.st_mode):
        words += [str(info.st_size), content(full)]
        first = inodes.setdefault((info.st_dev, info.st_ino), path)
        if first != path:
            words.append(f"={shown(first)}")
    if stat.S_ISLNK(info.st_mode):
        words += ["->", shown(os.fsencode(os.readlink(full)))]
    if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        words.append(f"{os.major(info.st_rdev)},{os.minor(info.st_rdev)}")
    for name in sorted(os.listxattr(full, follow_symlinks=False)):
        words.append(f"{name}={os.getxattr(full, name, follow_symlinks=False).hex()}")
    if not stat.S_ISDIR(info.st_mode) and info.st_mtime < RECENT:
        words.append(f"@{int(info.st_mtime)}")
    return " ".join(words)


def main():
    # Deep trees are part of the matter.
    sys.setrecursionlimit(10_000)
    directory, inodes = os.fsencode(sys.argv[1]), {}
    json.dump({shown(path): describe(directory, path, inodes) for path in paths(directory)}, sys.stdout)


main()
