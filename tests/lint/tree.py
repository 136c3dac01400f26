# SPDX-License-Identifier: GPL-2.0-only
"""The files that a lint rule looks at, and what it says about them."""
import os
import subprocess
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Failure:
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


class Skip(Exception):
    """A rule cannot be checked here; the text says why."""


@dataclass
class Tree:
    """A checkout. Paths are relative to its root; what git ignores and the build folder are not part of it."""

    root: str
    build: str
    notes: list = field(default_factory=list)
    files: list = field(default_factory=list)
    texts: dict = field(default_factory=dict)

    def __post_init__(self):
        self.root = os.path.realpath(self.root)
        self.build = os.path.realpath(os.path.join(self.root, self.build))
        self.files = sorted(name for name in self._list() if os.path.isfile(os.path.join(self.root, name))
                            and not os.path.realpath(os.path.join(self.root, name)).startswith(self.build + os.sep))

    def _list(self):
        # The folder is named so that git neither searches upwards nor minds that root lints another user's files.
        command = ["git", f"--git-dir={self.root}/.git", f"--work-tree={self.root}", "ls-files", "-z", "--cached",
                   "--others", "--exclude-standard"]
        try:
            done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=True, timeout=60)
            return {name for name in done.stdout.split("\0") if name}
        except (OSError, subprocess.CalledProcessError):
            return self._walk()

    def _walk(self):
        """For a tarball."""
        names = set()
        for folder, folders, files in os.walk(self.root):
            folders[:] = [d for d in folders if d not in (".git", "__pycache__", ".pytest_cache")]
            names |= {os.path.relpath(os.path.join(folder, name), self.root) for name in files}
        return names

    def select(self, folders, suffixes):
        return [name for name in self.files
                if name.split("/")[0] in folders and name.endswith(suffixes)]

    def text(self, name):
        if name not in self.texts:
            with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as file:
                self.texts[name] = file.read()
        return self.texts[name]

    def lines(self, name):
        """(number, line) of a file."""
        return enumerate(self.text(name).splitlines(), 1)

    def note(self, path, line, message):
        self.notes.append(Failure(path, line, message))
