/* SPDX-License-Identifier: PostgreSQL */
#include "out/sink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stop.h"
#include "base/xmalloc.h"
#include "out/text.h"
#include "stmt/create.h"

#define BUFFER_SIZE (256 << 10)

const struct sink_ops *const sink_formats[] = { &text_ops, &json_ops, NULL };

const struct sink_ops *sink_format(const char *name)
{
	size_t i;

	for (i = 0; sink_formats[i]; i++)
		if (!strcmp(sink_formats[i]->name, name))
			return sink_formats[i];
	return NULL;
}

#define READER_MS 1000

/*
 * Standard output may be a pipe whose reader does not read (a pager).  Once we are asked to end, it is given a
 * moment and no more.
 */
static ssize_t write_stdout(void *cookie, const char *bytes, size_t size)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	size_t done = 0;

	(void)cookie;
	while (done < size) {
		ssize_t wrote;

		if (stop_asked() && poll(&out, 1, READER_MS) == 0) {
			errno = ECANCELED;
			break;
		}
		wrote = write(STDOUT_FILENO, bytes + done, size - done);
		if (wrote > 0)
			done += (size_t)wrote;
		else if (errno != EINTR)
			break;
	}
	return (ssize_t)done;
}

static FILE *open_stdout(void)
{
	return fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_stdout });
}

static FILE *open_output(const char *path)
{
	FILE *out;
	int fd;

	if (!strcmp(path, "-")) {
		out = open_stdout();
		if (!out)
			log_error("cannot write to standard output: %s", strerror(errno));
		return out;
	}
	fd = create_output(path);
	if (fd < 0)
		return NULL;
	out = fdopen(fd, "w");
	if (!out) {
		log_error("cannot write %s: %s", path, strerror(errno));
		close(fd);
	}
	return out;
}

struct sink *sink_open(const struct sink_ops *ops, const char *path)
{
	FILE *out = open_output(path);
	struct sink *sink;

	if (!out)
		return NULL;
	sink = xcalloc(1, ops->size);
	sink->ops = ops;
	sink->out = out;
	sink->path = xstrdup(path);
	setvbuf(out, NULL, _IOFBF, BUFFER_SIZE);
	if (ops->begin)
		ops->begin(sink);
	return sink;
}

static void fail(struct sink *sink, int error)
{
	if (!sink->failed && error != EPIPE)
		log_error("cannot write %s: %s; what it holds is not whole",
			  !strcmp(sink->path, "-") ? "to standard output" : sink->path, strerror(error));
	sink->failed = true;
}

void sink_event(struct sink *sink, const struct trace_event *te)
{
	if (sink->failed)
		return;
	errno = 0;
	sink->ops->event(sink, te);
	if (ferror_unlocked(sink->out))
		fail(sink, errno ? errno : EIO);
}

void sink_end(struct sink *sink, const struct trace_totals *totals)
{
	if (!sink->failed)
		sink->ops->end(sink, totals);
	sink_flush(sink);
}

void sink_flush(struct sink *sink)
{
	if (!sink->failed && fflush(sink->out))
		fail(sink, errno);
}

int sink_close(struct sink *sink)
{
	bool failed;

	sink_flush(sink);
	if (fclose(sink->out))
		fail(sink, errno);
	if (sink->ops->free)
		sink->ops->free(sink);
	failed = sink->failed;
	free(sink->path);
	free(sink);
	return failed ? -1 : 0;
}
