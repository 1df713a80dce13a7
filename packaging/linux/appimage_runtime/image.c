/* Finds the squashfs image behind this program and opens it.
 *
 * libsquashfuse believes what the tables of an image say, to the point of reading elsewhere in
 * memory. So their checksum is in this program, and damage to them is found before they are used.
 * (Who damages it on purpose can change the program too.) What blocks of data unpack to is checked
 * here.
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
#define CRC32 0xEDB88320u /* as zlib's, reversed */
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

/* Written into the finished program by packaging/installers/appimage.py, which looks for the mark:
 * the checksum of the superblock and of everything from the first table on. Volatile, for the
 * compiler must not think that it knows the value. */
static const volatile struct {
    char mark[12];
    uint32_t checksum;
} sealed = {"IMAGE CRC32", 0};

/* Go on with the checksum of `length` bytes of the file; false when they are not there. */
static bool add_to_checksum(uint32_t *checksum, int fd, off_t start, uint64_t length)
{
    static unsigned char bytes[65536];
    while (length > 0) {
        size_t wanted = length < sizeof bytes ? (size_t)length : sizeof bytes;
        ssize_t got = pread(fd, bytes, wanted, start);
        if (got <= 0)
            return false;
        for (ssize_t i = 0; i < got; i++) {
            *checksum ^= bytes[i];
            for (int bit = 0; bit < 8; bit++)
                *checksum = *checksum >> 1 ^ (-(*checksum & 1) & CRC32);
        }
        start += got;
        length -= (uint64_t)got;
    }
    return true;
}

static bool is_whole(int fd, off_t offset)
{
    struct squashfs_super_block super;
    struct stat st;
    uint32_t checksum = UINT32_MAX;
    if (fstat(fd, &st) != 0 || offset <= 0 || offset >= st.st_size)
        return false;
    if (pread(fd, &super, sizeof super, offset) != (ssize_t)sizeof super)
        return false;
    uint64_t tables = le64toh(super.inode_table_start), end = le64toh(super.bytes_used);
    if (le32toh(super.s_magic) != SQUASHFS_MAGIC || tables > end ||
        end > (uint64_t)(st.st_size - offset))
        return false;
    return add_to_checksum(&checksum, fd, offset, sizeof super) &&
           add_to_checksum(&checksum, fd, offset + (off_t)tables, end - tables) &&
           ~checksum == sealed.checksum;
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

/* A block of data by its position, decompressed; NULL: damaged. It belongs to the cache. */
static const sqfs_block *data_block(sqfs *fs, sqfs_cache *cache, uint64_t position, uint32_t header)
{
    sqfs_block *block = NULL;
    if (sqfs_data_cache(fs, cache, (sqfs_off_t)position, header, &block) != SQFS_OK)
        return NULL;
    return block;
}

/* The end of a file, which lies in one block with those of others; NULL: damaged. */
static const char *fragment(sqfs *fs, sqfs_inode *inode, size_t length)
{
    struct squashfs_fragment_entry entry;
    uint32_t offset = inode->xtra.reg.frag_off;
    if (sqfs_frag_entry(fs, &entry, inode->xtra.reg.frag_idx) != SQFS_OK)
        return NULL;
    const sqfs_block *block = data_block(fs, &fs->frag_cache, entry.start_block, entry.size);
    if (block == NULL || offset > block->size || length > block->size - offset)
        return NULL;
    return (const char *)block->data + offset;
}

/* What the library's own reading does, but it trusts the sizes of blocks and fragments. */
ssize_t image_read(sqfs *fs, sqfs_inode *inode, uint64_t start, size_t size, char *out)
{
    static char zeros[1024 * 1024]; /* the largest block; not const, or they were in the file */
    uint64_t file_size = inode->xtra.reg.file_size, block_size = fs->sb.block_size;
    if (!S_ISREG(inode->base.mode) || size > SSIZE_MAX)
        return -1;
    if (start >= file_size)
        return 0;
    if (size > file_size - start)
        size = (size_t)(file_size - start);
    sqfs_blocklist list;
    if (sqfs_blockidx_blocklist(fs, inode, &list, (sqfs_off_t)start) != SQFS_OK)
        return -1;
    size_t done = 0;
    while (done < size) {
        uint64_t at = start + done; /* in the file */
        size_t from = (size_t)(at % block_size), length;
        const char *data;
        if (list.remain == 0) {
            length = (size_t)(file_size % block_size);
            data = fragment(fs, inode, length);
        } else {
            if (sqfs_blocklist_next(&list) != SQFS_OK)
                return -1;
            if (list.pos + block_size <= at)
                continue;
            uint64_t left = file_size - list.pos;
            length = (size_t)(left < block_size ? left : block_size);
            data = zeros; /* they take no room */
            if (list.input_size != 0) {
                const sqfs_block *block = data_block(fs, &fs->data_cache, list.block, list.header);
                data = block == NULL || block->size != length ? NULL : block->data;
            }
        }
        if (data == NULL || from >= length)
            return -1;
        size_t take = length - from < size - done ? length - from : size - done;
        memcpy(out + done, data + from, take);
        done += take;
    }
    return (ssize_t)done;
}

/* An entry may claim a name of up to 65536 bytes, and the library believes it. */
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
