/* SPDX-License-Identifier: PostgreSQL */
/*
 * Writing the record format.
 *
 * Records gather in a buffer; the file's committed length moves only when all bytes below it are in
 * the file.  What could not be written (a full disk) is dropped whole, record by record, and the next
 * buffer goes to the same place: a reader never sees half of anything, and once there is room
 * again a LOSS record says what is missing.
 */
#include "stmt/stmt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "stmt/create.h"

#define BUFFER_SIZE ((size_t)256 << 10)

struct stmt_writer {
	char *path;
	int fd;
	struct pgt_header header;
	uint64_t end;		/* bytes of the file that are whole */
	uint64_t buffered_records;
	uint64_t lost_records, lost_bytes;	/* not yet told by a LOSS record */
	uint64_t told_records, told_bytes;	/* told by one that is still in the buffer */
	size_t used, size;
	char *buffer;
	bool failed;		/* said once */
};

static int fail(struct stmt_writer *writer)
{
	if (!writer->failed)
		log_error("cannot write %s: %s; records are dropped until there is room", writer->path, strerror(errno));
	writer->failed = true;
	return -1;
}

static int write_at(struct stmt_writer *writer, const void *bytes, size_t length, uint64_t offset)
{
	size_t done = 0;
	ssize_t put;

	while (done < length) {
		put = pwrite(writer->fd, (const char *)bytes + done, length - done, (off_t)(offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return fail(writer);
		done += put;
	}
	return 0;
}

static int write_header(struct stmt_writer *writer)
{
	writer->header.committed = writer->end;
	return write_at(writer, &writer->header, sizeof(writer->header), 0);
}

static void header_init(struct pgt_header *header)
{
	memcpy(header->magic, PGT_MAGIC, sizeof(header->magic));
	header->byte_order = PGT_BYTE_ORDER;
	header->format_version = PGT_FORMAT_VERSION;
	header->header_size = PGT_HEADER_SIZE;
	header->file_kind = PGT_FILE_PGT;
	header->state = PGT_STATE_OPEN;
	header->records = 0;
	header->dropped_records = 0;
	header->dropped_bytes = 0;
}

static void writer_free(struct stmt_writer *writer)
{
	close(writer->fd);
	free(writer->buffer);
	free(writer->path);
	free(writer);
}

struct stmt_writer *stmt_create(const char *path, const struct pgt_header *header)
{
	static const char page[PGT_HEADER_SIZE];
	struct stmt_writer *writer;
	struct stat st;
	int fd = create_output(path);

	if (fd < 0)
		return NULL;
	writer = xcalloc(1, sizeof(*writer));
	writer->path = xstrdup(path);
	writer->fd = fd;
	writer->header = *header;
	writer->end = PGT_HEADER_SIZE;
	writer->size = BUFFER_SIZE;
	writer->buffer = xmalloc(writer->size);
	header_init(&writer->header);
	if (!write_at(writer, page, sizeof(page), 0) && !write_header(writer))
		return writer;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		unlink(path);
	writer_free(writer);
	return NULL;
}

/* Puts the buffer into the file, or drops what is in it. */
static int drain(struct stmt_writer *writer)
{
	int rc = write_at(writer, writer->buffer, writer->used, writer->end);

	if (rc) {
		writer->lost_records += writer->buffered_records + writer->told_records;
		writer->lost_bytes += writer->used + writer->told_bytes;
		writer->header.dropped_records += writer->buffered_records;
		writer->header.dropped_bytes += writer->used;
	} else {
		writer->end += writer->used;
		writer->header.records += writer->buffered_records;
	}
	writer->used = 0;
	writer->buffered_records = 0;
	writer->told_records = writer->told_bytes = 0;
	return rc;
}

/* Makes room for length bytes. */
static int reserve(struct stmt_writer *writer, size_t length)
{
	int rc = 0;

	if (length > writer->size - writer->used && writer->used)
		rc = drain(writer);
	if (length > writer->size) {
		writer->buffer = xrealloc(writer->buffer, length, 1);
		writer->size = length;
	}
	return rc;
}

static void append(struct stmt_writer *writer, const struct pgt_record *head, const void *body, size_t body_length)
{
	char *at = writer->buffer + writer->used;

	memcpy(at, head, sizeof(*head));
	if (body_length)
		memcpy(at + sizeof(*head), body, body_length);
	memset(at + sizeof(*head) + body_length, 0, head->length - sizeof(*head) - body_length);
	writer->used += head->length;
	writer->buffered_records++;
}

/* Says in the file what an earlier failure took from it. */
static void tell_loss(struct stmt_writer *writer, uint64_t time_ns)
{
	struct pgt_loss loss = {
		.reason = PGT_LOSS_NO_SPACE,
		.count = writer->lost_records,
		.bytes = writer->lost_bytes,
	};
	struct pgt_record head = {
		.length = sizeof(head) + sizeof(loss),
		.kind = PGT_LOSS,
		.pid = writer->header.pid,
		.time_ns = time_ns,
	};

	append(writer, &head, &loss, sizeof(loss));
	/* If this record is lost as well, it must not be counted as one of the trace's. */
	writer->buffered_records--;
	writer->told_records = writer->lost_records;
	writer->told_bytes = writer->lost_bytes;
	writer->lost_records = writer->lost_bytes = 0;
}

int stmt_write(struct stmt_writer *writer, const struct event *ev)
{
	size_t length = (sizeof(ev->head) + ev->body_length + 7) & ~(size_t)7;
	struct pgt_record head = ev->head;
	int rc;

	if (length > PGT_MAX_RECORD) {
		writer->lost_records++;
		writer->header.dropped_records++;
		errno = EFBIG;
		return fail(writer);
	}
	rc = reserve(writer, length + sizeof(struct pgt_record) + sizeof(struct pgt_loss));
	if (!writer->used && writer->lost_records)
		tell_loss(writer, head.time_ns);
	head.length = (uint32_t)length;
	append(writer, &head, ev->body, ev->body_length);
	return rc;
}

int stmt_flush(struct stmt_writer *writer)
{
	int rc = drain(writer);

	return write_header(writer) ? -1 : rc;
}

int stmt_finish(struct stmt_writer *writer)
{
	bool whole;

	writer->header.state = PGT_STATE_CLOSED;
	stmt_flush(writer);
	if (writer->lost_records) {
		/* Room may have come since; if not, the header's count tells. */
		tell_loss(writer, clock_mono_ns());
		stmt_flush(writer);
	}
	whole = !writer->failed;
	writer_free(writer);
	return whole ? 0 : -1;
}
