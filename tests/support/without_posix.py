"""A process in which our modules cannot see what only POSIX systems have, as on Windows.

``python without_posix.py ARGUMENTS`` runs commands, and then imports every module of the package. Other packages, and
the standard library, see all of this system.
"""

from __future__ import annotations

import builtins
import importlib
import json
import pkgutil
import sys
from types import ModuleType
from typing import Any

_MODULES = "crypt fcntl grp nis ossaudiodev posix pty pwd readline resource spwd syslog termios tty"
_OS = """
    O_ASYNC O_CLOEXEC O_DIRECTORY O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC O_TMPFILE WEXITSTATUS
    chown chroot confstr ctermid eventfd fchdir fchown fork forkpty fstatvfs fwalk getegid geteuid getgid getgroups
    getloadavg getpgid getpgrp getpriority getresuid getsid getuid getxattr initgroups killpg lchown listxattr lockf
    major memfd_create minor mkfifo mknod nice openpty pathconf pidfd_open pipe2 posix_fadvise posix_fallocate
    posix_spawn pread preadv pwrite pwritev readv removexattr sched_getaffinity sched_setaffinity sched_yield sendfile
    setegid seteuid setgid setpgid setpriority setsid setuid setxattr splice statvfs sync sysconf tcgetpgrp ttyname
    uname wait wait3 wait4 waitid writev
"""
_SIGNAL = """
    SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 SIGWINCH alarm getitimer
    pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait
"""
MODULES = frozenset(_MODULES.split())
NAMES = {
    "os": frozenset(_OS.split()),
    "signal": frozenset(_SIGNAL.split()),
    "socket": frozenset({"AF_UNIX"}),
    "time": frozenset({"clock_settime", "pthread_getcpuclockid", "tzset"}),
}


def hide() -> None:
    """Take these modules and names from whatever is imported into modules of the package from now on."""
    imported = builtins.__import__
    seen = {name: _without(importlib.import_module(name), hidden) for name, hidden in NAMES.items()}

    def without_posix(name: str, globals: Any = None, *rest: Any, **more: Any) -> ModuleType:  # noqa: A002
        if globals is None or not str(globals.get("__name__", "")).startswith("biovita"):
            return imported(name, globals, *rest, **more)
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return seen.get(name) or imported(name, globals, *rest, **more)

    builtins.__import__ = without_posix


def _without(module: ModuleType, hidden: frozenset[str]) -> ModuleType:
    made = ModuleType(module.__name__)
    vars(made).update({name: value for name, value in vars(module).items() if name not in hidden})
    return made


def main() -> None:
    """Run commands, each a JSON list, and then import everything and name the modules."""
    hide()
    from biovita.cli import main as command

    for line in sys.argv[1:]:
        try:
            command(json.loads(line))
        except SystemExit as ended:
            if ended.code:
                raise
    import biovita

    for each in pkgutil.walk_packages(biovita.__path__, "biovita."):
        if each.name != "biovita.__main__":
            importlib.import_module(each.name)
        sys.stdout.write(f"{each.name}\n")


if __name__ == "__main__":
    main()
