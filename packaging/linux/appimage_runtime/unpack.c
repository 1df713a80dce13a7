/* Unpacks the image into a folder. */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEEPEST 32
#define PIECE (1024 * 1024)

struct unpacking {
    sqfs *fs;
    const char *shown;      /* what the folder is called towards the person */
    const char *pattern;
    bool print;
    char path[PATH_MAX];    /* of the present entry, from the root of the image */
};

static bool failed(const struct unpacking *work)
{
    say("%s/%s could not be written: %s.", work->shown, work->path, strerror(errno));
    return false;
}

static bool damaged(void)
{
    image_damaged("Unpacking stopped");
    return false;
}

static bool is_wanted(const struct unpacking *work)
{
    return work->pattern == NULL ||
           fnmatch(work->pattern, work->path, FNM_PERIOD | FNM_LEADING_DIR) == 0;
}

static void set_times(int directory, const char *name, const struct stat *st)
{
    struct timespec times[2] = {{.tv_sec = st->st_mtime}, {.tv_sec = st->st_mtime}};
    utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW); /* a wish: not all have times */
}

static bool write_file(struct unpacking *work, int directory, const char *name, sqfs_inode *inode,
                       const struct stat *st)
{
    static char piece[PIECE];
    mode_t mode = (st->st_mode & 0755) | S_IRUSR | S_IWUSR;
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0)
        return failed(work);
    for (off_t at = 0; at < st->st_size;) {
        ssize_t got = image_read(work->fs, inode, (uint64_t)at, sizeof piece, piece);
        if (got <= 0) {
            close(file);
            return damaged();
        }
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(file, piece + done, (size_t)(got - done));
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0) {
                failed(work);
                close(file);
                return false;
            }
            done += written;
        }
        at += got;
    }
    if (fchmod(file, mode) != 0 || close(file) != 0) /* the umask is not asked */
        return failed(work);
    set_times(directory, name, st);
    return true;
}

static bool write_link(struct unpacking *work, int directory, const char *name, sqfs_inode *inode,
                       const struct stat *st)
{
    char target[PATH_MAX];
    size_t size = sizeof target;
    if (st->st_size >= PATH_MAX || sqfs_readlink(work->fs, inode, target, &size) != SQFS_OK)
        return damaged();
    if (symlinkat(target, directory, name) != 0)
        return failed(work);
    set_times(directory, name, st);
    return true;
}

static bool walk(struct unpacking *work, sqfs_inode *inode, int directory, int depth);

static bool write_directory(struct unpacking *work, int directory, const char *name,
                            sqfs_inode *inode, int depth)
{
    bool made = mkdirat(directory, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return failed(work);
    int below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return failed(work);
    if (made)
        fchmod(below, 0755);
    bool done = walk(work, inode, below, depth + 1);
    close(below);
    if (made && !is_wanted(work)) /* nothing in it was wanted, unless it cannot be removed */
        unlinkat(directory, name, AT_REMOVEDIR);
    return done;
}

/* One entry; its path is in `work`. */
static bool write_entry(struct unpacking *work, struct listing *listing, int directory, int depth)
{
    sqfs_inode inode;
    struct stat st;
    if (sqfs_inode_get(work->fs, &inode, sqfs_dentry_inode(&listing->entry)) != SQFS_OK ||
        !image_stat(&inode, &st))
        return damaged();
    bool wanted = is_wanted(work);
    if (wanted && work->print)
        printf("%s/%s\n", work->shown, work->path);
    if (S_ISDIR(st.st_mode))
        return write_directory(work, directory, listing->name, &inode, depth);
    if (!wanted)
        return true;
    if (unlinkat(directory, listing->name, 0) != 0 && errno != ENOENT)
        return failed(work);
    if (S_ISLNK(st.st_mode))
        return write_link(work, directory, listing->name, &inode, &st);
    return write_file(work, directory, listing->name, &inode, &st);
}

static bool walk(struct unpacking *work, sqfs_inode *inode, int directory, int depth)
{
    struct listing listing;
    if (depth > DEEPEST || !S_ISDIR(inode->base.mode) || !listing_open(work->fs, inode, &listing))
        return damaged();
    size_t length = strlen(work->path);
    int step;
    while ((step = listing_next(work->fs, &listing)) == 1) {
        int added = snprintf(work->path + length, sizeof work->path - length, "%s%s",
                             length == 0 ? "" : "/", listing.name);
        if (added < 0 || (size_t)added >= sizeof work->path - length)
            return damaged();
        if (!write_entry(work, &listing, directory, depth))
            return false;
        work->path[length] = '\0';
    }
    return step == 0 || damaged();
}

bool unpack_image(struct image *image, int directory, const char *shown, const char *pattern,
                  bool print)
{
    struct unpacking work = {.fs = &image->fs, .shown = shown, .pattern = pattern, .print = print};
    sqfs_inode root;
    if (sqfs_inode_get(&image->fs, &root, sqfs_inode_root(&image->fs)) != SQFS_OK)
        return damaged();
    return walk(&work, &root, directory, 0);
}

static bool add_up(sqfs *fs, sqfs_inode *inode, int depth, uint64_t *bytes)
{
    struct listing listing;
    if (depth > DEEPEST || !S_ISDIR(inode->base.mode) || !listing_open(fs, inode, &listing))
        return damaged();
    int step;
    while ((step = listing_next(fs, &listing)) == 1) {
        sqfs_inode entry;
        struct stat st;
        if (sqfs_inode_get(fs, &entry, sqfs_dentry_inode(&listing.entry)) != SQFS_OK ||
            !image_stat(&entry, &st))
            return damaged();
        if (S_ISREG(st.st_mode) && __builtin_add_overflow(*bytes, (uint64_t)st.st_size, bytes))
            return damaged();
        if (__builtin_add_overflow(*bytes, (uint64_t)4096, bytes))
            return damaged();
        if (S_ISDIR(st.st_mode) && !add_up(fs, &entry, depth + 1, bytes))
            return false;
    }
    return step == 0 || damaged();
}

bool unpack_size(struct image *image, uint64_t *bytes)
{
    sqfs_inode root;
    *bytes = 0;
    if (sqfs_inode_get(&image->fs, &root, sqfs_inode_root(&image->fs)) != SQFS_OK)
        return damaged();
    return add_up(&image->fs, &root, 0, bytes);
}
