/* Finds the squashfs image behind this program and opens it.
 *
 * Only zstd is understood, for our own images know nothing else: the decompressor table of
 * libsquashfuse is replaced, so that no other decompressor is linked in.
 */
#include "runtime.h"

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define ZSTD_IN_SQUASHFS 6
#define CACHED_BLOCKS 64

sqfs_decompressor sqfs_decompressor_get(sqfs_compression_type type);

static sqfs_err decompress(void *in, size_t in_size, void *out, size_t *out_size)
{
    size_t size = ZSTD_decompress(out, *out_size, in, in_size);
    if (ZSTD_isError(size))
        return SQFS_ERR;
    *out_size = size;
    return SQFS_OK;
}

sqfs_decompressor sqfs_decompressor_get(sqfs_compression_type type)
{
    return type == ZSTD_IN_SQUASHFS ? decompress : NULL;
}

void image_damaged(const char *what)
{
    say("%s: this AppImage is damaged or was not downloaded whole. Download it again and compare "
        "it with the published SHA-256.", what);
}

/* Where the ELF file ends, which is where the image begins; 0 when that is nonsense. */
static off_t end_of_program(int fd)
{
    Elf64_Ehdr header;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return 0;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
        return 0;
    if (header.e_shoff > INT64_MAX - UINT32_MAX)
        return 0;
    return (off_t)(header.e_shoff + (uint64_t)header.e_shentsize * header.e_shnum);
}

static bool is_whole(int fd, off_t offset)
{
    struct squashfs_super_block super;
    struct stat st;
    if (fstat(fd, &st) != 0 || offset <= 0 || offset >= st.st_size)
        return false;
    if (pread(fd, &super, sizeof super, offset) != (ssize_t)sizeof super)
        return false;
    if (le32toh(super.s_magic) != SQUASHFS_MAGIC)
        return false;
    /* The library takes its word for it when it makes room for a block. */
    uint32_t block = le32toh(super.block_size);
    if (block < 4096 || block > 1024 * 1024 || (block & (block - 1)) != 0)
        return false;
    return le64toh(super.bytes_used) <= (uint64_t)(st.st_size - offset);
}

bool image_open(struct image *image)
{
    ssize_t length = readlink("/proc/self/exe", image->path, sizeof image->path - 1);
    image->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (length <= 0 || image->fd < 0) {
        say("This AppImage cannot read itself: /proc must be mounted and the file readable.");
        return false;
    }
    image->path[length] = '\0';
    image->offset = end_of_program(image->fd);
    if (!is_whole(image->fd, image->offset) ||
        sqfs_init(&image->fs, image->fd, (size_t)image->offset) != SQFS_OK) {
        image_damaged("Nothing was started");
        return false;
    }
    /* One block is the library's default; a program's pages are read here and there. */
    sqfs_cache_destroy(&image->fs.data_cache);
    sqfs_cache_destroy(&image->fs.frag_cache);
    if (sqfs_block_cache_init(&image->fs.data_cache, CACHED_BLOCKS) != SQFS_OK ||
        sqfs_block_cache_init(&image->fs.frag_cache, CACHED_BLOCKS / 4) != SQFS_OK) {
        say("There is not enough memory to start.");
        return false;
    }
    return true;
}

bool image_stat(const sqfs_inode *inode, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_mode = inode->base.mode;
    st->st_ino = inode->base.inode_number;
    st->st_nlink = (nlink_t)inode->nlink;
    st->st_mtime = st->st_ctime = st->st_atime = (time_t)inode->base.mtime;
    /* To everybody the files are his own: who mounted or unpacked them may read them. */
    st->st_uid = geteuid();
    st->st_gid = getegid();
    if (S_ISREG(st->st_mode)) {
        if (inode->xtra.reg.file_size > INT64_MAX)
            return false;
        st->st_size = (off_t)inode->xtra.reg.file_size;
        st->st_blocks = st->st_size / 512 + (st->st_size % 512 != 0);
    } else if (S_ISLNK(st->st_mode)) {
        st->st_size = (off_t)inode->xtra.symlink_size;
    } else if (!S_ISDIR(st->st_mode)) {
        return false;
    }
    return true;
}

/* What the library's own reading does, but it trusts the sizes of blocks and fragments. */
ssize_t image_read(sqfs *fs, sqfs_inode *inode, uint64_t start, size_t size, char *out)
{
    uint64_t file_size = inode->xtra.reg.file_size, block_size = fs->sb.block_size;
    if (!S_ISREG(inode->base.mode) || start >= file_size)
        return S_ISREG(inode->base.mode) ? 0 : -1;
    if (size > file_size - start)
        size = (size_t)(file_size - start);
    if (size > SSIZE_MAX)
        return -1;
    sqfs_blocklist list;
    if (sqfs_blockidx_blocklist(fs, inode, &list, (sqfs_off_t)start) != SQFS_OK)
        return -1;
    size_t done = 0;
    while (done < size) {
        uint64_t at = start + done; /* in the file */
        size_t from = (size_t)(at % block_size), length;
        const char *data = NULL;
        sqfs_block *block = NULL;
        if (list.remain == 0) {
            size_t offset, ignored;
            if (inode->xtra.reg.frag_idx == SQUASHFS_INVALID_FRAG ||
                sqfs_frag_block(fs, inode, &offset, &ignored, &block) != SQFS_OK)
                return -1;
            length = (size_t)(file_size % block_size);
            if (offset > block->size || length > block->size - offset)
                return -1;
            data = (const char *)block->data + offset;
        } else {
            if (sqfs_blocklist_next(&list) != SQFS_OK)
                return -1;
            if (list.pos + block_size <= at)
                continue;
            length = file_size - list.pos < block_size ? (size_t)(file_size - list.pos)
                                                       : (size_t)block_size;
            if (list.input_size != 0) { /* else it is all zeros and takes no room */
                if (sqfs_data_cache(fs, &fs->data_cache, (sqfs_off_t)list.block, list.header,
                                    &block) != SQFS_OK || block->size != length)
                    return -1;
                data = block->data;
            }
        }
        if (from >= length)
            return -1;
        size_t take = length - from < size - done ? length - from : size - done;
        if (data != NULL)
            memcpy(out + done, data + from, take);
        else
            memset(out + done, 0, take);
        done += take;
    }
    return (ssize_t)done;
}

/* A damaged entry may claim a name of up to 65536 bytes, and the library believes it. */
static char claimed_name[UINT16_MAX + 3];

bool listing_open(sqfs *fs, sqfs_inode *inode, struct listing *listing)
{
    sqfs_dentry_init(&listing->entry, claimed_name);
    return sqfs_dir_open(fs, inode, &listing->dir, 0) == SQFS_OK;
}

int listing_next(sqfs *fs, struct listing *listing)
{
    sqfs_err error = SQFS_OK;
    if (!sqfs_dir_next(fs, &listing->dir, &listing->entry, &error))
        return error == SQFS_OK ? 0 : -1;
    size_t length = sqfs_dentry_name_size(&listing->entry);
    if (length == 0 || length > SQUASHFS_NAME_LEN || memchr(claimed_name, '/', length) != NULL ||
        memchr(claimed_name, '\0', length) != NULL)
        return -1;
    memcpy(listing->name, claimed_name, length);
    listing->name[length] = '\0';
    if (strcmp(listing->name, ".") == 0 || strcmp(listing->name, "..") == 0)
        return -1;
    return 1;
}
