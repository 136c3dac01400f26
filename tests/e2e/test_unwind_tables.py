# SPDX-License-Identifier: GPL-2.0-only
"""Unwind tables of every program and library of the system, against libdw and objdump."""
import os
import struct
import subprocess

import pytest

from conftest import BUILD

FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/lib")
ELF64_LSB = b"\x7fELF\x02\x01"
ET_EXEC, ET_DYN, EM_X86_64 = 2, 3, 62


def is_loadable(path):
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return len(head) == 20 and head.startswith(ELF64_LSB) and \
        struct.unpack("<HH", head[16:]) in ((ET_EXEC, EM_X86_64), (ET_DYN, EM_X86_64))


def elf_files():
    for top in FOLDERS:
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, name) for name in names):
                if os.path.isfile(path) and not os.path.islink(path) and not set("\n'") & set(path) and is_loadable(path):
                    yield path


@pytest.mark.soak
@pytest.mark.parametrize("test", ["same_rules_as_libdw", "calls_have_their_rules"])
def test_every_file(test, tmp_path):
    files = sorted(set(elf_files()))
    assert len(files) > 100
    (tmp_path / "files").write_text("".join(f"{path}\n" for path in files))
    done = subprocess.run([f"{BUILD}/unit/unwind_golden_test", test], timeout=3600, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "UNWIND_FILES": tmp_path / "files"})
    assert done.returncode == 0, done.stdout[-4000:]
