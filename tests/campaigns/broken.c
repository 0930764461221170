/* Breaks the machine for one process, by LD_PRELOAD: what libraries written in C or Rust do below
 * BROKEN_FOLDER is met, too.
 *
 * BROKEN_KIND=count      every write is noted in BROKEN_LOG, by the path of its file
 * BROKEN_KIND=full       the write number BROKEN_FROM (from 1) and all later ones find no space
 * BROKEN_KIND=read_only  nothing can be opened for writing, made or renamed
 * BROKEN_KIND=clock      from the reading number BROKEN_FROM on the wall clock is BROKEN_SHIFT
 *                        seconds away, wherever files lie
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long writes, readings;

static int is_kind(const char *name) {
    const char *kind = getenv("BROKEN_KIND");
    return kind && !strcmp(kind, name);
}

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is_inside(const char *path) {
    const char *folder = getenv("BROKEN_FOLDER");
    return folder && path && !strncmp(path, folder, strlen(folder));
}

/* Whether a write to this descriptor finds no space. */
static int is_full(int descriptor) {
    char link[64], path[4096], line[4200];
    int full = is_kind("full");
    if (!full && !is_kind("count")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!is_inside(path)) return 0;
    long now = atomic_fetch_add(&writes, 1) + 1;
    if (full) {
        if (now < number("BROKEN_FROM")) return 0;
        errno = ENOSPC;
        return 1;
    }
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    int log = open(getenv("BROKEN_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0644);
    int size = snprintf(line, sizeof line, "%s\n", path);
    if (log >= 0 && real(log, line, size) == size) close(log);
    return 0;
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)
#define WRITER(name, parameters, ...) \
    ssize_t name parameters { return is_full(fd) ? -1 : REAL(name, __VA_ARGS__); }

WRITER(write, (int fd, const void *data, size_t size), fd, data, size)
WRITER(writev, (int fd, const struct iovec *data, int count), fd, data, count)
WRITER(pwrite, (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
WRITER(pwrite64, (int fd, const void *data, size_t size, off64_t at), fd, data, size, at)

ssize_t sendfile(int fd, int from, off_t *at, size_t size) {
    return is_full(fd) ? -1 : REAL(sendfile, fd, from, at, size);
}

ssize_t sendfile64(int fd, int from, off64_t *at, size_t size) {
    return is_full(fd) ? -1 : REAL(sendfile64, fd, from, at, size);
}

/* Whether a path may not be changed. */
static int is_kept(const char *path, int flags) {
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT)) || !is_kind("read_only") || !is_inside(path))
        return 0;
    errno = EROFS;
    return 1;
}

#define MODE() \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest)

int open(const char *path, int flags, ...) {
    MODE();
    return is_kept(path, flags) ? -1 : REAL(open, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE();
    return is_kept(path, flags) ? -1 : REAL(open64, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE();
    return is_kept(path, flags) ? -1 : REAL(openat, folder, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    return is_kept(path, O_CREAT) ? -1 : REAL(mkdir, path, mode);
}

int rename(const char *from, const char *to) {
    return is_kept(to, O_CREAT) ? -1 : REAL(rename, from, to);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = REAL(clock_gettime, clock, now);
    if (!status && clock == CLOCK_REALTIME && is_kind("clock"))
        if (atomic_fetch_add(&readings, 1) + 1 >= number("BROKEN_FROM"))
            now->tv_sec += number("BROKEN_SHIFT");
    return status;
}
