/* The start of the AppImage: a program in front of a squashfs image.
 *
 * It mounts the image behind it through FUSE and becomes the wallet inside; where FUSE is not to be
 * had, it unpacks the image into a private folder instead. A second process serves the mount, or
 * just watches, and takes everything away when the wallet has ended, however it ended.
 *
 * https://github.com/AppImage/AppImageSpec (type 2), squashfs 4.0, libfuse's fuse_lowlevel.h
 */
#ifndef WALLET_GUI_APPIMAGE_RUNTIME_H
#define WALLET_GUI_APPIMAGE_RUNTIME_H

#define _GNU_SOURCE
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <squashfuse/squashfuse.h>

/* A sentence for the person on standard error; nothing in it comes from the image unescaped. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* image.c: what is behind this program. */

struct image {
    sqfs fs;
    int fd;                 /* of the AppImage, closed by exec */
    off_t offset;           /* where the squashfs image begins, in bytes */
    char path[PATH_MAX];    /* of the AppImage, absolute, without symbolic links */
};

/* Open this program's own file and the image in it; false after having said what is wrong. */
bool image_open(struct image *image);
/* Say that the image cannot be read; `what` is what was being done. */
void image_damaged(const char *what);
/* False for what has no place in an application: devices, pipes, sockets. */
bool image_stat(const sqfs_inode *inode, struct stat *st);
/* Read at most `size` bytes of a file from `start`; the number of bytes, -1: damaged. */
ssize_t image_read(sqfs *fs, sqfs_inode *inode, uint64_t start, size_t size, char *out);

struct listing {
    sqfs_dir dir;
    sqfs_dir_entry entry;
    char name[SQUASHFS_NAME_LEN + 1];
};

bool listing_open(sqfs *fs, sqfs_inode *inode, struct listing *listing);
/* Step to the next entry: 1, 0 at the end, -1: damaged. */
int listing_next(sqfs *fs, struct listing *listing);

/* folder.c: private folders below the temporary one. */

struct folder {
    char path[PATH_MAX];
    int lock;               /* open and locked while somebody looks after the folder; or -1 */
};

/* Make one; with `bytes` it must hold a program of that size and let it run. False: errno says. */
bool folder_make(struct folder *folder, uint64_t bytes);
/* Remove the folder and what is in it. */
void folder_remove(struct folder *folder);
/* Whether a process runs a program out of the folder. */
bool folder_in_use(const char *path);
/* Remove what earlier starts had to leave behind (power cut, kill -9 of everything). */
void folder_sweep(void);

/* guard.c: the second process. */

/* Open something that becomes readable when this process ends; -1 where the kernel is too old. */
int guard_watch_self(void);
/* Start the second process, cut off from terminal, session and descriptors but those of `keep`.
 * Returns 1 in it, 0 in the caller, -1 when there is none. */
int guard_fork(const int *keep, size_t count);
/* Wait until `pid`, watched by `watch`, has ended; at most `timeout` milliseconds (-1: for ever). */
bool guard_has_ended(pid_t pid, int watch, int timeout);

/* mount.c: the image as a file system. */

/* Mount the image on the folder and serve it in a second process until this one ends, or, with
 * `until_hangup`, until the returned descriptor is closed. Returns a descriptor, -1: no FUSE. */
int mount_image(struct image *image, struct folder *folder, bool until_hangup);
/* Take away a mount whose server is gone. */
void mount_clear(const char *path);

/* unpack.c: the image as files. */

/* Unpack below the folder behind `directory`, which is written `shown` in what is said; with
 * `pattern` only what matches (fnmatch(3), from the root of the image), printing each name. */
bool unpack_image(struct image *image, int directory, const char *shown, const char *pattern,
                  bool print);
/* Count the bytes that unpacking takes; false after having said what is wrong. */
bool unpack_size(struct image *image, uint64_t *bytes);

#endif
