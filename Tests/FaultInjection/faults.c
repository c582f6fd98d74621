// Makes one netlink message of a program fail, or the program die before it: preloaded, it counts
// the messages, and the settings under /proc/sys/net, that would change the kernel's state.
//
//   FAULT_AT    the number of the message, from 1
//   FAULT_MODE  fail: the kernel is sent a message that it does not know instead
//               break: so it is with all messages from there on
//               kill: those before it are sent, then the program kills itself (SIGKILL)
//               stop: the program sends itself SIGTERM, and the message
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef ssize_t sender(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

static int probing = -1;
static long seen;

// What weft starts itself is not meant: a sanitizer's symbolizer could not be loaded beside what a sanitizer has made of
// this.
__attribute__((constructor)) static void forget(void)
{
    if (!strcmp(program_invocation_short_name, "weft")) unsetenv("LD_PRELOAD");
}

// A setting under /proc/sys/net is a change as well.
static int opened(const char *path, int flags)
{
    const char *at = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE");
    if (at && mode && (flags & O_WRONLY) && !strncmp(path, "/proc/sys/net/", 14)) {
        seen++;
        if (seen == atol(at) && !strcmp(mode, "kill")) {
            kill(getpid(), SIGKILL);
            pause();
        }
        if (seen == atol(at) && !strcmp(mode, "stop")) {
            kill(getpid(), SIGTERM);
        } else if (seen == atol(at) || (seen > atol(at) && !strcmp(mode, "break"))) {
            errno = EOPNOTSUPP;
            return -1;
        }
    }
    return 0;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (opened(path, flags) < 0)
        return -1;
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (opened(path, flags) < 0)
        return -1;
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

int close(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (fd == probing)
        probing = -1;
    return next(fd);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size)
{
    sender *next = (sender *)dlsym(RTLD_NEXT, "sendto");
    const char *at = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE");
    struct sockaddr_nl own;
    socklen_t own_size = sizeof own;
    if (!at || !mode || getsockname(fd, (struct sockaddr *)&own, &own_size) || own.nl_family != AF_NETLINK)
        return next(fd, data, length, flags, to, size);
    char *copy = malloc(length);
    memcpy(copy, data, length);
    size_t place = 0;
    while (place + sizeof(struct nlmsghdr) <= length) {
        struct nlmsghdr *message = (struct nlmsghdr *)(copy + place);
        int changes = message->nlmsg_type >= RTM_BASE && (message->nlmsg_type & 3) != 2;
        // What is tried in a namespace of its own changes nothing of the host's: its socket is known by the links
        // that are made first, until it is closed.
        if (changes && memmem(message, message->nlmsg_len, "probe-", 6))
            probing = fd;
        if (fd == probing)
            changes = 0;
        if (changes && ++seen > atol(at) && !strcmp(mode, "break"))
            message->nlmsg_type = 0x0fff;
        if (changes && seen == atol(at)) {
            if (!strcmp(mode, "kill")) {
                if (place)
                    next(fd, copy, place, flags, to, size);
                kill(getpid(), SIGKILL);
                pause();
            }
            if (!strcmp(mode, "stop"))
                kill(getpid(), SIGTERM);
            else
                message->nlmsg_type = 0x0fff;
        }
        place += NLMSG_ALIGN(message->nlmsg_len);
    }
    ssize_t sent = next(fd, copy, length, flags, to, size);
    free(copy);
    return sent;
}
