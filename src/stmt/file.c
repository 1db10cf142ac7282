/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading a record file, whole or while it grows.
 *
 * A window of the file is held in memory: it never reaches past the committed length as it was at the
 * last look at the header, since bytes beyond it may still change.  It moves forward only, and grows for a
 * record that is longer than it.
 */
#include "stmt/stmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "stmt/memory.h"

#define WINDOW_SIZE ((size_t)256 << 10)

struct stmt_file {
	char *path;
	int fd;			/* -1: memory */
	const char *memory;
	size_t memory_length;
	struct pgt_header header;
	uint64_t next;		/* offset of the next record */
	uint64_t limit;		/* what may be read: committed, or the file's size if that is less */
	uint64_t window_at;	/* offset of the window's first byte, a multiple of 8 */
	size_t window_length;
	size_t window_size;
	char *window;
	bool damaged;
};

static int damage(struct stmt_file *file, const char *what)
{
	file->damaged = true;
	return log_error("%s is damaged at byte %llu: %s; what follows cannot be read", file->path,
			 (unsigned long long)file->next, what);
}

static int no_record_file(const struct stmt_file *file, const char *why)
{
	return log_error("%s is no pgtrace record file (%s)", file->path, why);
}

/* Up to length bytes from offset.  How many there were, or -1 with errno. */
static ssize_t read_at(const struct stmt_file *file, void *out, size_t length, uint64_t offset)
{
	size_t done = 0;
	ssize_t got;

	if (file->fd < 0) {
		if (offset >= file->memory_length)
			return 0;
		done = file->memory_length - offset;
		done = length < done ? length : done;
		memcpy(out, file->memory + offset, done);
		return done;
	}
	while (done < length) {
		got = pread(file->fd, (char *)out + done, length - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += got;
	}
	return done;
}

static int file_size(const struct stmt_file *file, uint64_t *size)
{
	struct stat st;

	if (file->fd < 0) {
		*size = file->memory_length;
		return 0;
	}
	if (fstat(file->fd, &st))
		return log_error("cannot look at %s: %s", file->path, strerror(errno));
	*size = st.st_size;
	return 0;
}

/* NULL when the header is one that this program can read. */
static const char *header_wrong(const struct pgt_header *header)
{
	if (memcmp(header->magic, PGT_MAGIC, sizeof(header->magic)))
		return "its first bytes are others";
	if (header->byte_order == __builtin_bswap32(PGT_BYTE_ORDER))
		return "it was written on a machine of the other byte order; read it on one of those";
	if (header->byte_order != PGT_BYTE_ORDER)
		return "its byte order mark is damaged";
	if (header->format_version > PGT_FORMAT_VERSION)
		return "its format is newer than this program; use a newer pgtrace-perf";
	if (header->format_version != PGT_FORMAT_VERSION)
		return "its format version is unknown";
	if (header->header_size < sizeof(*header) || header->header_size % 8 ||
	    header->header_size > PGT_MAX_RECORD)
		return "its header has a wrong size";
	if (header->file_kind != PGT_FILE_REC && header->file_kind != PGT_FILE_PGT)
		return "it is of an unknown kind";
	return NULL;
}

/* Reads and checks the header.  A file that grows must not have lost what was read. */
static int read_header(struct stmt_file *file)
{
	struct pgt_header header;
	uint64_t size = 0;
	ssize_t got = read_at(file, &header, sizeof(header), 0);
	const char *wrong;

	if (got < 0)
		return log_error("cannot read %s: %s", file->path, strerror(errno));
	if (!got)
		return no_record_file(file, "it is empty");
	if ((size_t)got < sizeof(header))
		return no_record_file(file, "it is shorter than a header");
	wrong = header_wrong(&header);
	if (wrong)
		return no_record_file(file, wrong);
	if (file_size(file, &size))
		return -1;
	if (header.committed < file->next || header.committed < header.header_size)
		return no_record_file(file, "its header says that less was written than there is");
	file->header = header;
	file->limit = header.committed < size ? header.committed : size;
	if (!file->next)
		file->next = file->window_at = header.header_size;
	return 0;
}

static struct stmt_file *file_new(const char *path, int fd)
{
	struct stmt_file *file = xcalloc(1, sizeof(*file));

	file->path = xstrdup(path);
	file->fd = fd;
	return file;
}

static struct stmt_file *open_header(struct stmt_file *file)
{
	if (!read_header(file))
		return file;
	stmt_close(file);
	return NULL;
}

struct stmt_file *stmt_open(const char *path)
{
	struct stat st;
	/* O_NONBLOCK: a pipe of this name must not hold us up before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		log_error("cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		log_error("%s is no pgtrace record file (%s)", path,
			  S_ISDIR(st.st_mode) ? "it is a directory" : "it is no regular file");
		close(fd);
		return NULL;
	}
	return open_header(file_new(path, fd));
}

struct stmt_file *stmt_open_memory(const void *bytes, size_t length, const char *name)
{
	struct stmt_file *file = file_new(name, -1);

	file->memory = bytes;
	file->memory_length = length;
	return open_header(file);
}

void stmt_close(struct stmt_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file->window);
	free(file->path);
	free(file);
}

const struct pgt_header *stmt_header(const struct stmt_file *file)
{
	return &file->header;
}

uint64_t stmt_offset(const struct stmt_file *file)
{
	return file->next;
}

int stmt_refresh(struct stmt_file *file)
{
	return file->damaged ? -1 : read_header(file);
}

static size_t window_left(const struct stmt_file *file)
{
	return file->window_length - (size_t)(file->next - file->window_at);
}

/* Makes the window begin at the next record and hold at least need bytes, which lie below the limit. */
static int fill(struct stmt_file *file, size_t need)
{
	size_t left = window_left(file);
	size_t want = need > WINDOW_SIZE ? need : WINDOW_SIZE;
	ssize_t got;

	if (left >= need)
		return 0;
	if (want > file->limit - file->next)
		want = file->limit - file->next;
	if (left)
		memmove(file->window, file->window + (file->next - file->window_at), left);
	file->window_at = file->next;
	file->window_length = left;
	if (want > file->window_size) {
		file->window = xrealloc(file->window, want, 1);
		file->window_size = want;
	}
	got = read_at(file, file->window + left, want - left, file->next + left);
	if (got < 0)
		return damage(file, strerror(errno));
	file->window_length += got;
	return file->window_length < need ? damage(file, "the file was cut while it was read") : 0;
}

/* NULL when a record of this length may begin at file->next. */
static const char *length_wrong(const struct stmt_file *file, uint32_t length)
{
	if (length < sizeof(struct pgt_record) || length % 8 || length > PGT_MAX_RECORD)
		return "no record has such a length";
	if (length > file->limit - file->next)
		return file->limit < file->header.committed ?
			"the file is cut in the middle of a record" : "a record is longer than the file";
	return NULL;
}

int stmt_next(struct stmt_file *file, struct event *out)
{
	const char *wrong;

	if (file->damaged)
		return -1;
	if (file->next >= file->limit)
		return file->limit < file->header.committed ?
			damage(file, "the file is cut, its header says that more was written") : 0;
	if (file->limit - file->next < sizeof(out->head))
		return damage(file, "less than a record is left");
	if (fill(file, sizeof(out->head)))
		return -1;
	memcpy(&out->head, file->window + (file->next - file->window_at), sizeof(out->head));
	wrong = length_wrong(file, out->head.length);
	if (wrong)
		return damage(file, wrong);
	if (fill(file, out->head.length))
		return -1;
	out->body = file->window + (file->next - file->window_at) + sizeof(out->head);
	out->body_length = out->head.length - sizeof(out->head);
	wrong = event_check(out);
	if (wrong)
		return damage(file, wrong);
	file->next += out->head.length;
	return 1;
}
