/* Reads the options that are the AppImage's own, and becomes the program in it. */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef WALLET_VERSION
#define WALLET_VERSION "0"
#endif
#define OPTION "--appimage-"
#define UNPACKED "squashfs-root"

static const char help[] =
    "AppImage of Wallet GUI " WALLET_VERSION "\n"
    "\n"
    "  --appimage-extract [PATTERN]   unpack into " UNPACKED ", all or what matches PATTERN\n"
    "  --appimage-extract-and-run     start without FUSE, unpacked into a temporary folder\n"
    "                                 (also APPIMAGE_EXTRACT_AND_RUN=1)\n"
    "  --appimage-mount               mount, print the folder, and keep it until Ctrl+C\n"
    "  --appimage-offset              print where the squashfs image begins, in bytes\n"
    "  --appimage-version             print the version\n"
    "  --appimage-help                print this\n"
    "\n"
    "Everything else goes to the program; its own options: --help\n";

void say(const char *format, ...)
{
    va_list arguments;
    fputs("wallet-gui: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* Become the program below `folder`; returns only when that is not possible. */
static int become(const struct image *image, const char *folder, char **arguments)
{
    char program[PATH_MAX], here[PATH_MAX];
    if (snprintf(program, sizeof program, "%s/AppRun", folder) >= PATH_MAX)
        return 1;
    bool set = setenv("APPIMAGE", image->path, 1) == 0 && setenv("APPDIR", folder, 1) == 0 &&
               setenv("ARGV0", arguments[0], 1) == 0;
    if (set && getcwd(here, sizeof here) != NULL)
        set = setenv("OWD", here, 1) == 0;
    else
        unsetenv("OWD");
    if (!set) {
        say("There is not enough memory to start.");
        return 1;
    }
    arguments[0] = program;
    execv(program, arguments);
    if (errno == EIO || errno == ENOEXEC || errno == ENOENT)
        image_damaged("Nothing was started");
    else
        say("The program could not be started: %s.", strerror(errno));
    return 1;
}

/* Look for left-overs, while the program starts already. */
static void sweep_aside(void)
{
    if (guard_fork(NULL, 0) == 1) {
        folder_sweep();
        _exit(0);
    }
}

static int run_unpacked(struct image *image, char **arguments)
{
    static struct folder folder;
    uint64_t bytes;
    if (!unpack_size(image, &bytes))
        return 1;
    if (!folder_make(&folder, bytes)) {
        say("There is no place to unpack the program (%llu MB): %s. Set TMPDIR to a folder with "
            "room where programs may run, or install fuse3, with which nothing is unpacked.",
            (unsigned long long)(bytes >> 20), strerror(errno));
        return 1;
    }
    pid_t self = getpid();
    int watch = guard_watch_self();
    int keep[] = {watch, folder.lock};
    int side = guard_fork(keep, sizeof keep / sizeof keep[0]);
    if (side == 1) {
        guard_has_ended(self, watch, -1);
        while (folder_in_use(folder.path))
            usleep(250000);
        folder_remove(&folder);
        _exit(0);
    }
    if (side < 0) {
        say("A second process could not be started: %s.", strerror(errno));
        folder_remove(&folder);
        return 1;
    }
    sweep_aside();
    /* From here on the folder goes when this process does, whatever ends it. */
    if (!unpack_image(image, folder.lock, folder.path, NULL, false))
        return 1;
    return become(image, folder.path, arguments);
}

static int run(struct image *image, char **arguments)
{
    static struct folder folder;
    if (folder_make(&folder, 0)) {
        int channel = mount_image(image, &folder, false);
        if (channel >= 0) {
            sweep_aside();
            return become(image, folder.path, arguments);
        }
        folder_remove(&folder);
    }
    return run_unpacked(image, arguments);
}

static int keep_mounted(struct image *image)
{
    static struct folder folder;
    sigset_t ends;
    int number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int channel = folder_make(&folder, 0) ? mount_image(image, &folder, true) : -1;
    if (channel < 0) {
        say("The image could not be mounted: FUSE is not available here. Install fuse3, or unpack "
            "the image with --appimage-extract.");
        return 1;
    }
    puts(folder.path);
    fflush(stdout);
    sigwait(&ends, &number);
    shutdown(channel, SHUT_WR);
    char byte;
    while (recv(channel, &byte, 1, 0) > 0) /* until the server is through */
        continue;
    return 0;
}

static int extract(struct image *image, const char *pattern)
{
    if (mkdir(UNPACKED, 0755) != 0 && errno != EEXIST) {
        say(UNPACKED " could not be made: %s.", strerror(errno));
        return 1;
    }
    int directory = open(UNPACKED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        say(UNPACKED " is there already and is not a folder; move it away first.");
        return 1;
    }
    while (pattern != NULL && pattern[0] == '/')
        pattern++;
    return unpack_image(image, directory, UNPACKED, pattern, true) ? 0 : 1;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

int main(int count, char **arguments)
{
    static struct image image;
    const char *option = count > 1 ? arguments[1] : "";
    bool own = strncmp(option, OPTION, sizeof OPTION - 1) == 0;
    if (count < 1)
        return 1;
    if (own) {
        option += sizeof OPTION - 1;
        if (strcmp(option, "help") == 0)
            return fputs(help, stdout) < 0;
        if (strcmp(option, "version") == 0)
            return puts("Wallet GUI " WALLET_VERSION) < 0;
    }
    if (!image_open(&image))
        return 1;
    if (!own)
        return is_set("APPIMAGE_EXTRACT_AND_RUN") ? run_unpacked(&image, arguments)
                                                  : run(&image, arguments);
    if (strcmp(option, "offset") == 0)
        return printf("%lld\n", (long long)image.offset) < 0;
    if (strcmp(option, "extract") == 0)
        return extract(&image, count > 2 ? arguments[2] : NULL);
    if (strcmp(option, "mount") == 0)
        return keep_mounted(&image);
    if (strcmp(option, "extract-and-run") == 0) {
        arguments[1] = arguments[0];
        return run_unpacked(&image, arguments + 1);
    }
    say("%s%s is not an option of this AppImage; --appimage-help lists them.", OPTION, option);
    return 1;
}
