"""Opens a PAM session with nothing but pam_limits for each given content of /etc/security, and tells the limit of open
files that a process of that session has.

Stdin: JSON, {"user": NAME, "cases": [{"limits.conf": TEXT, "limits.d/x.conf": TEXT, ...}, ...]}, texts as Latin-1 bytes.
Stdout: JSON, one [soft, hard] for each case; [SOFT, HARD] below where pam_limits sets nothing.
Run by root in a mount namespace of its own: /etc/security is covered by each case's files.
"""

import ctypes
import json
import os
import resource
import shutil
import sys
import tempfile

SOFT, HARD = 19999, 20000
MS_BIND, MNT_DETACH = 4096, 2

libc = ctypes.CDLL("libc.so.6", use_errno=True)
pam = ctypes.CDLL("libpam.so.0")
CONVERSE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Conversation(ctypes.Structure):
    _fields_ = [("converse", CONVERSE), ("data", ctypes.c_void_p)]


def refuse(*_):
    return 19  # PAM_CONV_ERR


conversation = Conversation(CONVERSE(refuse), None)


def session(user, services):
    """The limits in a child that opened the session."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))
        handle = ctypes.c_void_p()
        started = pam.pam_start_confdir(b"limits", user, ctypes.byref(conversation), services, ctypes.byref(handle))
        if started == 0:
            pam.pam_open_session(handle, 0)
            os.write(writing, json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)).encode())
        os._exit(0)
    os.close(writing)
    answer = os.read(reading, 100)
    os.close(reading)
    os.waitpid(child, 0)
    return json.loads(answer)


def main():
    request = json.load(sys.stdin)
    folder = tempfile.mkdtemp()
    services, security = os.path.join(folder, "pam.d"), os.path.join(folder, "security")
    os.mkdir(services)
    with open(os.path.join(services, "limits"), "w") as service:
        service.write("session required pam_limits.so\n")
    results = []
    for case in request["cases"]:
        os.makedirs(os.path.join(security, "limits.d"))
        for name, text in case.items():
            with open(os.path.join(security, name), "wb") as file:
                file.write(text.encode("latin1"))
        if libc.mount(security.encode(), b"/etc/security", None, MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        results.append(session(request["user"].encode(), services.encode()))
        libc.umount2(b"/etc/security", MNT_DETACH)
        shutil.rmtree(security)
    shutil.rmtree(folder)
    json.dump(results, sys.stdout)


main()
