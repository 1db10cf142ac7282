/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_file.c
 *	  The writer of the record file.
 *
 * A store into a mapped file for which the file system has no block is SIGBUS,
 * which would kill the backend.  So space is allocated first, in steps, and
 * touched through a sliding window afterwards.  RESERVE bytes beyond the last
 * record are always allocated, so that a trace that met a full disk can still
 * say so (PGT_LOSS) and end (PGT_END).
 *
 * After a failure the file system is asked again at most once a second: a full
 * disk must not cost every statement a system call.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/fd.h"

#include "clock.h"
#include "guc.h"
#include "record_file.h"

#define STEP ((uint64) 1 << 20)	/* allocated at once, and the window's size */
#define POPULATE ((uint64) 128 * 1024)	/* made present at once */
#define PAGE ((uint64) 4096)

#ifndef MADV_POPULATE_WRITE		/* Linux 5.14, newer than some C libraries */
#define MADV_POPULATE_WRITE 23
#endif

#define RECORD_SIZE(body) \
	TYPEALIGN64(8, sizeof(struct pgt_record) + (body))
#define LOSS_SIZE RECORD_SIZE(sizeof(struct pgt_loss))
#define END_SIZE RECORD_SIZE(sizeof(struct pgt_end))
#define RESERVE (LOSS_SIZE + END_SIZE)

#define PAGE_UP(x) TYPEALIGN64(PAGE, (x))
#define PAGE_DOWN(x) ((x) & ~(PAGE - 1))

static struct
{
	int			fd;
	struct pgt_header *header;
	uint64		end;			/* = header->committed */
	uint64		pending;		/* length of the record begun, 0 if none */
	uint64		allocated;		/* bytes of the file that may be touched */
	char	   *window;			/* maps [window_start, window_end) */
	uint64		window_start;
	uint64		window_end;
	uint64		populated;		/* of the window, up to here */
	uint64		last_time;
	uint64		next_clock;		/* when the next clock pair is due */
	uint64		retry;			/* do not ask for space before */
	uint64		lost;			/* records since the last PGT_LOSS */
	uint64		lost_bytes;
	enum pgt_loss_reason reason;
	int			error;			/* errno of reason */
	bool		lost_any;		/* a loss in this trace */
	bool		warned;
}			file;

struct pgt_header *
record_header(void)
{
	return file.header;
}

uint64
record_last_time(void)
{
	return file.last_time;
}

enum pgt_loss_reason
record_new_loss(int *error)
{
	if (!file.lost_any || file.warned)
		return 0;
	file.warned = true;
	*error = file.error;
	return file.reason;
}

static bool
refuse(enum pgt_loss_reason reason, int error)
{
	file.reason = reason;
	file.error = error;
	file.retry = file.last_time + NS_PER_SEC;
	return false;
}

static int
allocate_range(uint64 from, uint64 to)
{
	int			error;

	do
	{
		error = posix_fallocate(file.fd, (off_t) from, (off_t) (to - from));
	} while (error == EINTR);
	return error;
}

/* Allocates at least up to need. */
static bool
allocate(uint64 need)
{
	uint64		limit = (uint64) guc_max_file_size * 1024;
	uint64		want = PAGE_UP(Max(need, file.allocated + STEP));
	int			error;

	if (file.last_time < file.retry)
		return false;
	if (limit > 0 && want > limit)
	{
		want = PAGE_DOWN(limit);
		if (want < need)
			return refuse(PGT_LOSS_SIZE_LIMIT, 0);
	}
	error = allocate_range(file.allocated, want);
	if (error != 0)
		return refuse(error == ENOSPC || error == EDQUOT ?
					  PGT_LOSS_NO_SPACE : PGT_LOSS_IO, error);
	file.allocated = want;
	return true;
}

static void
unmap_window(void)
{
	if (file.window != NULL)
		munmap(file.window, file.window_end - file.window_start);
	file.window = NULL;
	file.window_start = file.window_end = 0;
}

/* Moves the window so that [file.end, need) is inside. */
static bool
slide(uint64 need)
{
	uint64		start = PAGE_DOWN(file.end);
	uint64		length = Max(STEP, PAGE_UP(need) - start);
	void	   *p;

	if (file.last_time < file.retry)
		return false;
	p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd,
			 (off_t) start);
	if (p == MAP_FAILED)
		return refuse(PGT_LOSS_IO, errno);
	unmap_window();
	file.window = p;
	file.window_start = start;
	file.window_end = start + length;
	file.populated = start;
	return true;
}

/*
 * Makes the next pages present and writable in one go, which costs much less than a
 * fault for each.  Kernels before 5.14 refuse; then there are faults.
 */
static void
populate(uint64 need)
{
	uint64		to = Min(PAGE_UP(need) + POPULATE, file.allocated);

	to = Min(to, file.window_end);
	(void) madvise(file.window + (file.populated - file.window_start),
				   to - file.populated, MADV_POPULATE_WRITE);
	file.populated = to;
}

/* May [file.end, file.end + length) be written, and reserve bytes kept? */
static inline bool
cover(uint64 length, uint64 reserve)
{
	uint64		need = file.end + length;

	if (unlikely(need + reserve > file.allocated) && !allocate(need + reserve))
		return false;
	if (unlikely(need > file.window_end) && !slide(need))
		return false;
	if (unlikely(need > file.populated))
		populate(need);
	return true;
}

/* The space is there: fills the record's head. */
static inline void *
place(enum pgt_kind kind, uint32 cursor, int depth, uint64 length)
{
	char	   *at = file.window + (file.end - file.window_start);
	struct pgt_record *r = (struct pgt_record *) at;

	/* Padding must not be what a failed record left there. */
	*(uint64 *) (at + length - sizeof(uint64)) = 0;
	r->length = (uint32) length;
	r->kind = (uint8) kind;
	r->flags = 0;
	r->depth = (uint16) Min(depth, PG_UINT16_MAX);
	r->pid = file.header->pid;
	r->cursor = cursor;
	r->time_ns = file.last_time;
	file.pending = length;
	return at + sizeof(struct pgt_record);
}

void
record_commit(void)
{
	struct pgt_header *h = file.header;

	file.end += file.pending;
	file.pending = 0;
	h->records++;
	__atomic_store_n(&h->committed, file.end, __ATOMIC_RELEASE);
}

/* Tells of what was lost since the last time; the space is there. */
static void
place_loss(void)
{
	struct pgt_loss *loss = place(PGT_LOSS, 0, 0, LOSS_SIZE);

	loss->reason = file.reason;
	loss->cpu = 0;
	loss->count = file.lost;
	loss->bytes = file.lost_bytes;
	loss->until_ns = 0;
	record_commit();
	file.lost = file.lost_bytes = 0;
}

static void *
count_loss(uint64 length)
{
	file.lost++;
	file.lost_bytes += length;
	file.lost_any = true;
	file.header->dropped_records++;
	file.header->dropped_bytes += length;
	return NULL;
}

/* The wall clock beside the other, about once a second. */
static void
write_clock(void)
{
	const uint64 length = RECORD_SIZE(sizeof(struct pgt_clock));
	struct pgt_clock *c;

	file.next_clock = file.last_time + NS_PER_SEC;
	if (file.lost > 0 || !cover(length, RESERVE))
		return;					/* worth no loss of its own */
	c = place(PGT_CLOCK, 0, 0, length);
	c->wall_us = clock_wall_us();
	record_commit();
}

void *
record_begin(enum pgt_kind kind, uint32 cursor, int depth, uint64 body_size,
			 uint64 now)
{
	uint64		length = RECORD_SIZE(body_size);

	if (unlikely(file.header == NULL))
		return NULL;
	file.last_time = Max(file.last_time, now);
	if (unlikely(file.last_time >= file.next_clock))
		write_clock();
	if (unlikely(length > PGT_MAX_RECORD))
	{
		refuse(PGT_LOSS_SIZE_LIMIT, 0);
		return count_loss(length);
	}
	if (unlikely(file.lost > 0))
	{
		if (!cover(LOSS_SIZE + length, RESERVE))
			return count_loss(length);
		place_loss();
	}
	if (!cover(length, RESERVE))
		return count_loss(length);
	return place(kind, cursor, depth, length);
}

void
record_write_end(enum pgt_end_reason reason, uint64 now)
{
	struct pgt_end *e;

	if (file.header == NULL)
		return;
	file.last_time = Max(file.last_time, now);
	file.retry = 0;
	if (!cover(RESERVE, 0))
		return;
	if (file.lost > 0)
		place_loss();
	e = place(PGT_END, 0, 0, END_SIZE);
	e->reason = reason;
	e->unused = 0;
	record_commit();
}

void
record_write_note(const char *line, uint64 now)
{
	uint32		length = strlen(line);
	struct pgt_note *n;

	n = record_begin(PGT_NOTE, 0, 0, sizeof(*n) + length, now);
	if (n == NULL)
		return;
	n->length = length;
	n->unused = 0;
	memcpy(n + 1, line, length);
	record_commit();
}

/* Everything but the file itself is undone. */
static int
open_failed(int error)
{
	unmap_window();
	if (file.header != NULL)
		munmap(file.header, PGT_HEADER_SIZE);
	if (file.fd >= 0)
		close(file.fd);
	memset(&file, 0, sizeof(file));
	return error;
}

static void
fill_header(const struct pgt_header *from)
{
	struct pgt_header *h = file.header;

	*h = *from;
	memcpy(h->magic, PGT_MAGIC, sizeof(h->magic));
	h->byte_order = PGT_BYTE_ORDER;
	h->format_version = PGT_FORMAT_VERSION;
	h->header_size = PGT_HEADER_SIZE;
	h->file_kind = PGT_FILE_REC;
	h->state = PGT_STATE_OPEN;
	file.end = PGT_HEADER_SIZE;
	__atomic_store_n(&h->committed, file.end, __ATOMIC_RELEASE);
}

int
record_file_open(int dirfd, const char *base, const struct pgt_header *header)
{
	char		name[PGT_NAME_SIZE + 8];
	void	   *p;
	int			error;

	memset(&file, 0, sizeof(file));
	snprintf(name, sizeof(name), "%s.rec", base);
	file.fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
					 O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (file.fd < 0)
		return open_failed(errno);
	error = allocate_range(0, STEP);
	p = error != 0 ? MAP_FAILED : mmap(NULL, PGT_HEADER_SIZE,
									   PROT_READ | PROT_WRITE, MAP_SHARED,
									   file.fd, 0);
	if (p == MAP_FAILED)
	{
		error = error != 0 ? error : errno;
		unlinkat(dirfd, name, 0);
		return open_failed(error);
	}
	ReserveExternalFD();
	file.allocated = STEP;
	file.header = p;
	file.last_time = header->start_mono_ns;
	file.next_clock = file.last_time + NS_PER_SEC;
	fill_header(header);
	return 0;
}

void
record_file_close(void)
{
	if (file.header == NULL)
		return;
	unmap_window();
	file.header->cursor = file.header->depth = 0;
	file.header->state = PGT_STATE_CLOSED;
	/* If it fails the file stays longer than its records: no reader minds. */
	if (ftruncate(file.fd, (off_t) file.end) != 0)
		file.error = errno;
	munmap(file.header, PGT_HEADER_SIZE);
	file.header = NULL;
	close(file.fd);
	file.fd = -1;
	ReleaseExternalFD();
}
