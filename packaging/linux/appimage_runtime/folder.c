/* Makes private folders below the temporary one, and finds those that nobody looks after any more.
 *
 * A folder is locked (flock) by the second process of the start that made it. One of ours that can
 * be locked has lost its second process, to a power cut or to a kill of everything.
 */
#include "runtime.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PREFIX ".mount_wallet-gui-"
#define RANDOM_PART "XXXXXX"
#define PLACES 5
#define DEEPEST 64

/* Where folders may lie, the best first; those that are not there are NULL. */
static void list_places(char places[PLACES][PATH_MAX])
{
    const char *temporary = getenv("TMPDIR"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME"), *runtime = getenv("XDG_RUNTIME_DIR");
    memset(places, 0, (size_t)PLACES * PATH_MAX);
    size_t room = PATH_MAX - sizeof PREFIX - sizeof RANDOM_PART - 1;
    if (temporary != NULL && temporary[0] == '/' && strlen(temporary) < room)
        snprintf(places[0], PATH_MAX, "%s", temporary);
    snprintf(places[1], PATH_MAX, "/tmp");
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < room)
        snprintf(places[2], PATH_MAX, "%s", runtime);
    snprintf(places[3], PATH_MAX, "/var/tmp");
    if (cache != NULL && cache[0] == '/' && strlen(cache) < room)
        snprintf(places[4], PATH_MAX, "%s", cache);
    else if (home != NULL && home[0] == '/' && strlen(home) + sizeof "/.cache" < room)
        snprintf(places[4], PATH_MAX, "%s/.cache", home);
}

/* A folder where others may rename what is ours is no place for a program. */
static bool is_safe(const char *place)
{
    struct stat st;
    if (stat(place, &st) != 0 || !S_ISDIR(st.st_mode))
        return false;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return false;
    return (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (st.st_mode & S_ISVTX) != 0;
}

static bool is_roomy(const char *place, uint64_t bytes)
{
    struct statvfs fs;
    if (statvfs(place, &fs) != 0 || (fs.f_flag & ST_NOEXEC) != 0)
        return false;
    return (uint64_t)fs.f_bavail * fs.f_frsize > bytes;
}

/* Lock the folder; false when a sweep of another start has just taken it for a left-over. */
static bool lock(struct folder *folder)
{
    struct stat opened, present;
    folder->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->lock < 0)
        return false;
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0 && fstat(folder->lock, &opened) == 0 &&
        lstat(folder->path, &present) == 0 && opened.st_ino == present.st_ino)
        return true;
    close(folder->lock);
    folder->lock = -1;
    return false;
}

bool folder_make(struct folder *folder, uint64_t bytes)
{
    static char places[PLACES][PATH_MAX];
    list_places(places);
    int reason = ENOENT;
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i][0] == '\0' || !is_safe(places[i]))
            continue;
        if (bytes != 0 && !is_roomy(places[i], bytes)) {
            reason = ENOSPC;
            continue;
        }
        for (int attempt = 0; attempt < 3; attempt++) {
            int length = snprintf(folder->path, PATH_MAX, "%s/" PREFIX RANDOM_PART, places[i]);
            if (length >= PATH_MAX)
                break;
            if (mkdtemp(folder->path) == NULL) { /* its mode is 0700 */
                reason = errno;
                break;
            }
            if (lock(folder))
                return true;
            reason = EAGAIN;
            rmdir(folder->path); /* where files cannot be locked it is still there */
        }
    }
    errno = reason;
    return false;
}

/* Empty a folder that is ours; what cannot be removed is left for the next sweep. */
static void empty(int directory, int depth)
{
    DIR *list = fdopendir(directory);
    if (list == NULL) {
        close(directory);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(directory, entry->d_name, 0) == 0 || depth == DEEPEST)
            continue;
        int below = openat(directory, entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
            empty(below, depth + 1);
            unlinkat(directory, entry->d_name, AT_REMOVEDIR);
        }
    }
    closedir(list);
}

void folder_remove(struct folder *folder)
{
    int directory = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat opened, locked;
    if (directory >= 0) {
        /* Never through a mount: what is in that is not ours to remove. */
        if (fstat(directory, &opened) == 0 && fstat(folder->lock, &locked) == 0 &&
            opened.st_dev == locked.st_dev && opened.st_ino == locked.st_ino) {
            empty(directory, 0);
        } else {
            close(directory);
        }
        rmdir(folder->path);
    }
    close(folder->lock);
    folder->lock = -1;
}

static bool begins_with_folder(const char *text, const char *path)
{
    size_t length = strlen(path);
    return strncmp(text, path, length) == 0 && text[length] == '/';
}

bool folder_in_use(const char *path)
{
    DIR *processes = opendir("/proc");
    bool found = false;
    if (processes == NULL)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(processes)) != NULL;) {
        char text[PATH_MAX];
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        int process = openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        ssize_t length = readlinkat(process, "exe", text, sizeof text - 1);
        if (length > 0) {
            text[length] = '\0';
            found = begins_with_folder(text, path);
        } else { /* a process that hides its memory hides this, but not how it was called */
            int command = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
            length = command < 0 ? 0 : read(command, text, sizeof text - 1);
            if (length > 0) {
                text[length] = '\0';
                found = begins_with_folder(text, path);
            }
            if (command >= 0)
                close(command);
        }
        close(process);
    }
    closedir(processes);
    return found;
}

/* Undo the octal escapes of /proc/self/mountinfo in place. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
            in[3] >= '0' && in[3] <= '7') {
            *out++ = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

/* Take away our mounts whose server was killed. */
static void sweep_mounts(void)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    if (mounts == NULL)
        return;
    char user[32];
    snprintf(user, sizeof user, "user_id=%u,", (unsigned)geteuid());
    while (getline(&line, &room, mounts) > 0) {
        char *path = line;
        for (int field = 0; field < 4 && path != NULL; field++) {
            path = strchr(path, ' ');
            path = path == NULL ? NULL : path + 1;
        }
        if (path == NULL || strstr(line, " - fuse.") == NULL || strstr(line, user) == NULL)
            continue;
        path[strcspn(path, " ")] = '\0';
        unescape(path);
        const char *name = strrchr(path, '/');
        if (name == NULL || strncmp(name + 1, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (opened >= 0)
            close(opened);
        else if (errno == ENOTCONN)
            mount_clear(path);
    }
    free(line);
    fclose(mounts);
}

static void sweep_place(const char *place)
{
    DIR *list = opendir(place);
    if (list == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        struct folder folder;
        struct stat above, st;
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0 ||
            strlen(entry->d_name) != sizeof PREFIX + sizeof RANDOM_PART - 2)
            continue;
        if (snprintf(folder.path, PATH_MAX, "%s/%s", place, entry->d_name) >= PATH_MAX)
            continue;
        /* A mounted one is not looked into: its server may be stopped, and we would wait. */
        if (fstat(dirfd(list), &above) != 0 || lstat(folder.path, &st) != 0 ||
            !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_dev != above.st_dev)
            continue;
        if (!lock(&folder))
            continue;
        if (folder_in_use(folder.path))
            close(folder.lock);
        else
            folder_remove(&folder);
    }
    closedir(list);
}

void folder_sweep(void)
{
    static char places[PLACES][PATH_MAX];
    list_places(places);
    sweep_mounts();
    for (size_t i = 0; i < PLACES; i++)
        if (places[i][0] != '\0')
            sweep_place(places[i]);
}
