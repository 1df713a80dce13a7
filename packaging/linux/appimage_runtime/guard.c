/* Starts the second process and tells it when the first has ended. */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_WITHOUT_PIDFD 500

int guard_watch_self(void)
{
    return (int)syscall(SYS_pidfd_open, getpid(), 0); /* closed by exec, as all of these are */
}

bool guard_has_ended(pid_t pid, int watch, int timeout)
{
    if (watch >= 0) {
        struct pollfd ends = {.fd = watch, .events = POLLIN};
        return poll(&ends, 1, timeout) > 0;
    }
    /* Kernels before 5.3, and sandboxes that know no such call. */
    for (;;) {
        if (kill(pid, 0) != 0 && errno == ESRCH)
            return true;
        if (timeout >= 0 && timeout < POLL_WITHOUT_PIDFD)
            return false;
        poll(NULL, 0, POLL_WITHOUT_PIDFD);
        if (timeout >= 0)
            timeout -= POLL_WITHOUT_PIDFD;
    }
}

/* Close what the program inherited: somebody may be waiting for the end of a pipe. */
static void close_all_but(const int *keep, size_t count)
{
    unsigned first = STDERR_FILENO + 1;
    for (;;) { /* the smallest kept one from `first` on */
        unsigned next = UINT_MAX;
        for (size_t i = 0; i < count; i++)
            if (keep[i] >= (int)first && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        unsigned last = next == UINT_MAX ? UINT_MAX : next - 1;
        if (first <= last && syscall(SYS_close_range, first, last, 0) != 0)
            for (unsigned fd = first; fd <= last && fd < 65536; fd++)
                close((int)fd);
        if (next == UINT_MAX)
            return;
        first = next + 1;
    }
}

int guard_fork(const int *keep, size_t count)
{
    pid_t first = fork();
    if (first < 0)
        return -1;
    if (first > 0) { /* the one between is gone at once, so the program has no unknown child */
        int status;
        while (waitpid(first, &status, 0) < 0)
            if (errno != EINTR) /* ECHILD where the caller ignores SIGCHLD: it has ended well */
                return errno == ECHILD ? 0 : -1;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
    }
    /* What the terminal sends to all is for the program, and the end of the session is not ours. */
    setsid();
    pid_t second = fork();
    if (second != 0)
        _exit(second < 0 ? 1 : 0);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; nothing >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    close_all_but(keep, count);
    if (chdir("/") != 0) /* not in the way of an unmount */
        _exit(1);
    return 1;
}
