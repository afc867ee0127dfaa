"""Threads: how many, for how much work, and what happens at a fork. The only file that names OpenMP.

No thread is started at import; OpenMP starts its pool at the first parallel call.
"""

import os
import warnings

from cython.parallel cimport parallel

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define ENGINE_OPENMP 1
    /* OpenMP 5.0; older runtimes lack it, so it is bound weakly and looked up by the loader. */
    #ifdef __GNUC__
    extern int omp_pause_resource_all(omp_pause_resource_t) __attribute__((weak));
    #endif
    static int engine_pause(void)
    {
        return omp_pause_resource_all ? omp_pause_resource_all(omp_pause_soft) : -1;
    }
    #else
    #define ENGINE_OPENMP 0
    static int omp_get_num_threads(void) { return 1; }
    static int engine_pause(void) { return 0; }
    #endif
    /* Set in a Python thread that must not start a team of its own. */
    static _Thread_local int engine_alone = 0;
    """
    const bint ENGINE_OPENMP
    int alone "engine_alone"
    int omp_get_num_threads() noexcept nogil
    int engine_pause() noexcept nogil

has_openmp = bool(ENGINE_OPENMP)

DEFAULT_THRESHOLD = 50_000
MAX_THREADS = 1024

cdef int num_threads = 1
cdef double threshold = DEFAULT_THRESHOLD


cdef int threads_for(double work) noexcept nogil:
    return num_threads if work >= threshold and not alone else 1


def get_num_threads():
    """Threads that a large operation uses."""
    return num_threads


def set_num_threads(n):
    """Use `n` threads for large operations, even more than there are cores; ValueError unless 1 <= n <= 1024.

    May be called from any Python thread; calls already running keep their team.
    """
    global num_threads
    n = n.__index__()
    if not 1 <= n <= MAX_THREADS:
        raise ValueError(f"the number of threads must be between 1 and {MAX_THREADS}, got {n}")
    if n > 1 and not has_openmp:
        warnings.warn("this build has no OpenMP: everything runs on one thread", RuntimeWarning, stacklevel=2)
        n = 1
    num_threads = n


def work_alone():
    """From now on the calling Python thread computes without a team: threads that feed a training loop leave it the
    cores. Results are the same, as they never depend on the number of threads."""
    global alone
    alone = 1


def get_threshold():
    """Elementary operations below which a call stays on the calling thread."""
    return threshold


def set_threshold(operations):
    """Set the threshold of get_threshold(); 0 makes every call use all threads (tests)."""
    global threshold
    threshold = operations


def team_size():
    """Size of the team that a parallel region really gets."""
    cdef int size = 0, team = threads_for(threshold)
    cdef int *shared = &size    # a plain assignment would be to a private copy
    with nogil, parallel(num_threads=team):
        shared[0] = omp_get_num_threads()
    return size


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _quota(folder):
    """Cores that the control group in `folder` allows, or None: cpu.max of version 2, cpu.cfs_* of version 1."""
    limit, period = (_read(f"{folder}/cpu.max").split() + ["", ""])[:2]
    if not limit:
        limit, period = _read(f"{folder}/cpu.cfs_quota_us").strip(), _read(f"{folder}/cpu.cfs_period_us").strip()
    if limit.isdecimal() and period.isdecimal() and int(period) > 0:
        return int(limit) / int(period)
    return None


def _cgroup_quota(root="/sys/fs/cgroup", listing="/proc/self/cgroup"):
    """The smallest CPU quota of this process's control groups and those around them, in cores; None without one."""
    quotas = []
    for line in _read(listing).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for base in (root, f"{root}/{controllers}") if controllers else (root, f"{root}/unified"):
            parts = [p for p in path.split("/") if p and p != ".."]
            quotas += [_quota("/".join([base, *parts[:n]])) for n in range(len(parts) + 1)]
    return min((q for q in quotas if q is not None), default=None)


def default_num_threads():
    """(threads to use, why): OMP_NUM_THREADS, else the affinity mask, cut to the control group's quota."""
    if not has_openmp:
        return 1, "built without OpenMP"
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and 1 <= int(wanted) <= MAX_THREADS:
        return int(wanted), f"OMP_NUM_THREADS={wanted}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    if quota is not None and quota < cores:
        n = max(int(quota), 1)
        return n, f"the control group allows {quota:.3g} of {cores} cores"
    return min(cores, MAX_THREADS), f"{cores} cores in this process's affinity mask"


def _before_fork():
    """Put the forking thread's OpenMP pool to rest, so that a child can start its own.

    libgomp keeps a pool per thread that opens regions, and a pause ends only the caller's, which is idle: it is here.
    Regions of other Python threads go on; their pools do not exist in the child. (libomp handles forks itself and
    refuses the pause while a region runs.)
    """
    engine_pause()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
num_threads = default_num_threads()[0]
