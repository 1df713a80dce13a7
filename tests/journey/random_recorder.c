/* Writes down what getrandom(2) gives a program, one line per draw: process, bytes in hex.

   Put into the environment of a packaged program by a test (LD_PRELOAD), which then computes the
   words of a new wallet from what the system gave, and from nothing else. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { LONGEST = 256 };

ssize_t getrandom(void *buffer, size_t size, unsigned int flags)
{
    static const char digits[] = "0123456789abcdef";
    ssize_t got = syscall(SYS_getrandom, buffer, size, flags);
    const char *path = getenv("RANDOM_RECORD");
    if (got > 0 && got <= LONGEST && path != NULL) {
        char line[2 * LONGEST + 32];
        int length = snprintf(line, sizeof line, "%d ", (int)getpid());
        const unsigned char *bytes = buffer;
        for (ssize_t at = 0; at < got; at++) {
            line[length++] = digits[bytes[at] >> 4];
            line[length++] = digits[bytes[at] & 15];
        }
        line[length++] = '\n';
        int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (file >= 0) {
            /* One write: lines of processes that run at once do not mix. */
            if (write(file, line, (size_t)length) != length)
                abort();
            close(file);
        }
    }
    return got;
}
