"""give_away.py DIRECTORY UID GID: gives all of it to a user, and keeps what a change of the owner takes away: setuid bits and capabilities."""

import os
import stat
import sys


def give(path, uid, gid):
    info = os.lstat(path)
    names = [] if stat.S_ISLNK(info.st_mode) else [name for name in os.listxattr(path) if name == "security.capability"]
    values = [(name, os.getxattr(path, name)) for name in names]
    os.lchown(path, uid, gid)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(path, stat.S_IMODE(info.st_mode))
    for name, value in values:
        os.setxattr(path, name, value)


def main():
    sys.setrecursionlimit(10_000)
    top, uid, gid = os.fsencode(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for directory, directories, files in os.walk(top, topdown=False):
        for name in directories + files:
            give(os.path.join(directory, name), uid, gid)
    give(top, uid, gid)


main()
