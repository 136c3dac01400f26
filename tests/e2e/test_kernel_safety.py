# SPDX-License-Identifier: GPL-2.0-only
"""What a uprobe program must not be, whatever it counts: dangerous to the kernel it runs in."""
import ctypes
import struct

import pytest

SYS_BPF = 321  # x86-64
PROG_GET_NEXT_ID, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 11, 13, 15
INFO_SIZE = 80  # struct bpf_prog_info up to its name

# "add %gs:offset, %r9": r9 holds the frame of a program with a private stack (arch/x86/net/bpf_jit_comp.c).
PRIVATE_STACK = b"\x65\x4c\x03\x0c\x25"

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    buf = ctypes.create_string_buffer(attr, 128)
    result = libc.syscall(SYS_BPF, command, buf, 128)
    return result, buf.raw


def info(fd, jited=None):
    raw = bytearray(INFO_SIZE)
    if jited is not None:
        struct.pack_into("<I", raw, 16, len(jited))
        struct.pack_into("<Q", raw, 24, ctypes.addressof(jited))
    buf = (ctypes.c_char * INFO_SIZE).from_buffer(raw)
    result, _ = bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, INFO_SIZE, ctypes.addressof(buf)))
    assert result == 0, ctypes.get_errno()
    del buf
    return {"name": bytes(raw[64:80]).rstrip(b"\0").decode(), "jited": struct.unpack_from("<I", raw, 16)[0]}


def jited_code(names):
    """The machine code of each loaded program with one of these names."""
    found, prog = [], 0
    while True:
        result, attr = bpf(PROG_GET_NEXT_ID, struct.pack("<II", prog, 0))
        if result:
            return found
        prog = struct.unpack_from("<I", attr, 4)[0]
        fd, _ = bpf(PROG_GET_FD_BY_ID, struct.pack("<I", prog))
        if fd < 0:
            continue
        try:
            about = info(fd)
            if about["name"] in names:
                code = (ctypes.c_char * about["jited"])()
                info(fd, code)
                found.append(bytes(code))
        finally:
            libc.close(fd)


@pytest.mark.first_light
@pytest.mark.parametrize("path, names", [
    ("session", ["on_session"]), ("multi", ["on_enter", "on_leave"]), ("perf", ["on_enter", "on_leave"]),
])
def test_no_private_stack(lab, need_attach_path, path, names):
    """
    Linux 6.13 and later give such programs one stack for each CPU, but they can be preempted: two threads on a CPU then
    overwrite each other's variables, and the kernel crashes.
    """
    need_attach_path(path)
    victim = lab.victim("leak_o0")
    trace = lab.trace(victim, "--attach-path", path)
    codes = jited_code(names)
    assert trace.stop() == 0, trace
    assert len(codes) >= len(names)
    if not all(codes):
        pytest.skip("the kernel does not compile BPF programs here (bpf_jit_enable = 0)")
    assert [code for code in codes if PRIVATE_STACK in code] == []
