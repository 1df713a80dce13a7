/* Serves the image as a file system, in a process of its own, until the program has ended.
 *
 * libfuse would mount and unmount itself, but leaves the mount behind where there is no fusermount3
 * to help it; so both are done here, and libfuse gets the open /dev/fuse (as /dev/fd/N).
 */
#define FUSE_USE_VERSION 32
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREVER 86400.0 /* seconds: nothing in the image changes */
#define LARGEST_REPLY (1024 * 1024)
#define UNMOUNT_PAUSE 50 /* milliseconds, doubled up to */
#define UNMOUNT_LONGEST_PAUSE 2000

static const char *const helpers[] = {"fusermount3", "fusermount"};

/* The file system */

static sqfs *image_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

/* FUSE's root is 1; ours are positions in the inode table, which begin with 0. */
static sqfs_inode_id position(sqfs *fs, fuse_ino_t number)
{
    return number == FUSE_ROOT_ID ? sqfs_inode_root(fs) : (sqfs_inode_id)number - 2;
}

static bool get(fuse_req_t request, fuse_ino_t number, sqfs_inode *inode)
{
    if (sqfs_inode_get(image_of(request), inode, position(image_of(request), number)) == SQFS_OK)
        return true;
    fuse_reply_err(request, EIO);
    return false;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    sqfs *fs = image_of(request);
    sqfs_inode inode;
    struct listing listing;
    if (!get(request, parent, &inode))
        return;
    if (!S_ISDIR(inode.base.mode)) {
        fuse_reply_err(request, ENOTDIR);
        return;
    }
    /* The library's own look-up trusts the index of large directories, and ours are small. */
    int step = listing_open(fs, &inode, &listing) ? listing_next(fs, &listing) : -1;
    while (step == 1 && strcmp(listing.name, name) != 0)
        step = listing_next(fs, &listing);
    struct fuse_entry_param entry = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};
    if (step == 1) {
        sqfs_inode_id id = sqfs_dentry_inode(&listing.entry);
        if (sqfs_inode_get(fs, &inode, id) != SQFS_OK || !image_stat(&inode, &entry.attr))
            step = -1;
        entry.ino = (fuse_ino_t)id + 2;
    }
    if (step < 0)
        fuse_reply_err(request, EIO);
    else
        fuse_reply_entry(request, &entry); /* number 0: not there, and to be remembered */
}

static void on_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)file;
    sqfs_inode inode;
    struct stat st;
    if (!get(request, number, &inode))
        return;
    if (image_stat(&inode, &st))
        fuse_reply_attr(request, &st, FOREVER);
    else
        fuse_reply_err(request, EIO);
}

static void on_readlink(fuse_req_t request, fuse_ino_t number)
{
    sqfs_inode inode;
    char target[PATH_MAX];
    size_t size = sizeof target;
    if (!get(request, number, &inode))
        return;
    if (S_ISLNK(inode.base.mode) &&
        sqfs_readlink(image_of(request), &inode, target, &size) == SQFS_OK)
        fuse_reply_readlink(request, target);
    else
        fuse_reply_err(request, EIO);
}

static void on_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)number;
    file->keep_cache = 1;
    fuse_reply_open(request, file);
}

static void on_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    file->cache_readdir = 1;
    on_open(request, number, file);
}

static void on_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t start,
                    struct fuse_file_info *file)
{
    (void)file;
    static char data[LARGEST_REPLY];
    sqfs_inode inode;
    if (!get(request, number, &inode))
        return;
    if (size > sizeof data)
        size = sizeof data;
    ssize_t got = start < 0 ? -1
                            : image_read(image_of(request), &inode, (uint64_t)start, size, data);
    if (got < 0)
        fuse_reply_err(request, EIO);
    else
        fuse_reply_buf(request, data, (size_t)got);
}

static void on_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t start,
                       struct fuse_file_info *file)
{
    (void)file;
    static char data[LARGEST_REPLY];
    sqfs *fs = image_of(request);
    sqfs_inode inode;
    struct listing listing;
    size_t filled = 0;
    if (!get(request, number, &inode))
        return;
    if (size > sizeof data)
        size = sizeof data;
    off_t at = 0;
    int step = listing_open(fs, &inode, &listing) ? listing_next(fs, &listing) : -1;
    for (; step == 1; step = listing_next(fs, &listing)) {
        if (at++ < start)
            continue;
        struct stat st = {.st_mode = sqfs_dentry_mode(&listing.entry),
                          .st_ino = sqfs_dentry_inode_num(&listing.entry)};
        size_t length = fuse_add_direntry(request, data + filled, size - filled, listing.name, &st,
                                          at);
        if (length > size - filled)
            break;
        filled += length;
    }
    if (step < 0 && filled == 0)
        fuse_reply_err(request, EIO);
    else
        fuse_reply_buf(request, data, filled);
}

static void on_statfs(fuse_req_t request, fuse_ino_t number)
{
    (void)number;
    sqfs *fs = image_of(request);
    struct statvfs st = {
        .f_bsize = fs->sb.block_size,
        .f_frsize = fs->sb.block_size,
        .f_blocks = fs->sb.bytes_used / fs->sb.block_size + 1,
        .f_files = fs->sb.inodes,
        .f_namemax = SQUASHFS_NAME_LEN,
    };
    fuse_reply_statfs(request, &st);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = on_lookup,
    .getattr = on_getattr,
    .readlink = on_readlink,
    .open = on_open,
    .read = on_read,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .statfs = on_statfs,
};

/* libfuse refers to its device server, which would link in the rest of it and its loader of modules;
 * no kernel asks a file system for a device. */
void cuse_lowlevel_init(fuse_req_t request, fuse_ino_t number, const void *data);
void cuse_lowlevel_init(fuse_req_t request, fuse_ino_t number, const void *data)
{
    (void)number;
    (void)data;
    fuse_reply_err(request, ENOSYS);
}

/* Mounting and unmounting */

/* Mount with our own rights; the open /dev/fuse, or -1. */
static int mount_directly(const char *path)
{
    char options[128];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd,
             (unsigned)geteuid(), (unsigned)getegid());
    if (mount("wallet-gui", path, "fuse.appimage", MS_RDONLY | MS_NOSUID | MS_NODEV, options) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Take the descriptor that the helper sends over `channel`; -1 when it sends none. */
static int receive_descriptor(int channel)
{
    char byte;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t length;
    do
        length = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    struct cmsghdr *header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

/* Mount with the rights of the set-user-id helper; the open /dev/fuse, or -1. */
static int mount_with(const char *helper, const char *path)
{
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", channel[1]);
        fcntl(channel[1], F_SETFD, 0);
        setenv("_FUSE_COMMFD", number, 1);
        execlp(helper, helper, "-o", "ro,nosuid,nodev,fsname=wallet-gui,subtype=appimage", "--",
               path, (char *)NULL);
        _exit(127);
    }
    close(channel[1]);
    int fd = child < 0 ? -1 : receive_descriptor(channel[0]);
    close(channel[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return fd;
}

static int mount_somehow(const char *path)
{
    int fd = mount_directly(path);
    for (size_t i = 0; fd < 0 && i < sizeof helpers / sizeof helpers[0]; i++)
        fd = mount_with(helpers[i], path);
    return fd;
}

/* Unmount; with `lazily` also what is still in use. False while it is in use. */
static bool unmount(const char *path, bool lazily)
{
    if (umount2(path, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0 || errno == EINVAL)
        return true; /* EINVAL: somebody else has done it */
    if (errno != EPERM)
        return false;
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            execlp(helpers[i], helpers[i], "-q", lazily ? "-uz" : "-u", "--", path, (char *)NULL);
            _exit(127);
        }
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0)
            return true;
    }
    return false;
}

void mount_clear(const char *path)
{
    if (unmount(path, true))
        rmdir(path);
}

/* Unmount as soon as nothing uses the mount any more. The server must go on meanwhile, for those
 * that still run from it and for the helper, which looks at the folder: so in another process. */
static pid_t unmount_when_unused(const char *path)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    int pause = UNMOUNT_PAUSE;
    while (!unmount(path, false)) {
        poll(NULL, 0, pause);
        pause = pause < UNMOUNT_LONGEST_PAUSE ? pause * 2 : pause;
    }
    _exit(0);
}

/* The server */

struct program {
    pid_t pid;
    int watch;      /* see guard_watch_self */
    int channel;    /* to the first process; its end means nothing unless `until_hangup` */
    bool until_hangup;
};

/* Answer until the mount is gone. */
static void serve(struct fuse_session *session, const struct program *program, const char *path)
{
    struct fuse_buf request = {.mem = NULL};
    pid_t unmounter = 0;
    while (!fuse_session_exited(session)) {
        struct pollfd events[] = {
            {.fd = fuse_session_fd(session), .events = POLLIN},
            {.fd = unmounter != 0 ? -1 : program->watch, .events = POLLIN},
            {.fd = unmounter == 0 && program->until_hangup ? program->channel : -1,
             .events = POLLRDHUP},
        };
        int timeout = unmounter == 0 && program->watch < 0 ? 500 : -1;
        if (poll(events, 3, timeout) < 0 && errno != EINTR)
            break;
        if (unmounter == 0 && (events[2].revents != 0 ||
                               guard_has_ended(program->pid, program->watch, 0)))
            unmounter = unmount_when_unused(path);
        if (events[0].revents == 0)
            continue;
        int length = fuse_session_receive_buf(session, &request);
        if (length == -EINTR || length == -EAGAIN)
            continue;
        if (length <= 0)
            break;
        fuse_session_process_buf(session, &request);
    }
    free(request.mem);
    if (unmounter > 0)
        waitpid(unmounter, NULL, 0);
}

static _Noreturn void run_server(struct image *image, struct folder *folder,
                                 const struct program *program)
{
    char *arguments[] = {(char[]){"wallet-gui"}, NULL};
    struct fuse_args options = FUSE_ARGS_INIT(1, arguments);
    struct fuse_session *session = NULL;
    char descriptor[32];
    int fd = mount_somehow(folder->path);
    if (fd >= 0) {
        session = fuse_session_new(&options, &operations, sizeof operations, &image->fs);
        snprintf(descriptor, sizeof descriptor, "/dev/fd/%d", fd);
        if (session != NULL && fuse_session_mount(session, descriptor) == 0 &&
            send(program->channel, "m", 1, MSG_NOSIGNAL) == 1)
            serve(session, program, folder->path);
        /* When it is still mounted, it must not stay so without anybody who serves it. */
        unmount(folder->path, true);
    }
    folder_remove(folder);
    _exit(0);
}

int mount_image(struct image *image, struct folder *folder, bool until_hangup)
{
    int channel[2];
    char answer;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
        return -1;
    struct program program = {.pid = getpid(), .watch = guard_watch_self(),
                              .channel = channel[1], .until_hangup = until_hangup};
    int keep[] = {image->fd, folder->lock, channel[1], program.watch};
    int side = guard_fork(keep, sizeof keep / sizeof keep[0]);
    if (side == 1)
        run_server(image, folder, &program);
    close(channel[1]);
    if (program.watch >= 0)
        close(program.watch);
    ssize_t length = -1;
    if (side == 0)
        do
            length = recv(channel[0], &answer, 1, 0);
        while (length < 0 && errno == EINTR);
    if (length == 1)
        return channel[0];
    close(channel[0]);
    return -1;
}
