"""Runs a program for which sendmmsg() and recvmmsg() do not exist: python3 without-mmsg.py PROGRAM ARGUMENT...

libuv, which dig is built on, makes these two system calls itself, past any library that stands in front of libc. When
the kernel says ENOSYS it goes back to sendmsg() and recvmsg() of libc, where Dante's library can answer.
"""

import ctypes
import errno
import os
import struct
import sys

# Of the architecture that this process runs on: sendmmsg, recvmmsg.
CALLS = {'x86_64': (307, 299), 'aarch64': (269, 243)}[os.uname().machine]
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def instruction(code, if_true, if_false, value):
    return struct.pack('HBBI', code, if_true, if_false, value)


class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('instructions', ctypes.c_void_p)]


program = ctypes.create_string_buffer(
    instruction(LOAD_WORD, 0, 0, 0)  # the number of the call
    + instruction(JUMP_IF_EQUAL, 1, 0, CALLS[0])
    + instruction(JUMP_IF_EQUAL, 0, 1, CALLS[1])
    + instruction(RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.ENOSYS)
    + instruction(RETURN, 0, 0, SECCOMP_RET_ALLOW)
)
filtered = Filter(5, ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0)):
    if libc.prctl(*arguments) != 0:
        sys.exit(f'prctl: {os.strerror(ctypes.get_errno())}')
os.execvp(sys.argv[1], sys.argv[1:])
