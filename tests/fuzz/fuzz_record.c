/* SPDX-License-Identifier: PostgreSQL */
/*
 * Any bytes as a record file, through the reader, the model and both renderers.
 *
 * The input is taken as a file, and, since one with a bad header is refused at once, what lies behind its
 * header page (or all of a short input) once more as the records behind a header that is well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "out/sink.h"
#include "stmt/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static char *with_header(const uint8_t *data, size_t size, size_t *length)
{
	struct pgt_header header = {
		.magic = PGT_MAGIC,
		.byte_order = PGT_BYTE_ORDER,
		.format_version = PGT_FORMAT_VERSION,
		.header_size = PGT_HEADER_SIZE,
		.file_kind = PGT_FILE_PGT,
		.committed = PGT_HEADER_SIZE + size,
	};
	char *file = xcalloc(1, PGT_HEADER_SIZE + size);

	memcpy(file, &header, sizeof(header));
	if (size)
		memcpy(file + PGT_HEADER_SIZE, data, size);
	*length = PGT_HEADER_SIZE + size;
	return file;
}

static void show(const void *bytes, size_t length)
{
	struct stmt_file *file = stmt_open_memory(bytes, length, "input");
	struct trace *trace;
	struct event ev;
	size_t i;

	if (!file)
		return;
	trace = trace_new();
	for (i = 0; sink_formats[i]; i++)
		trace_add_sink(trace, sink_open(sink_formats[i], "/dev/null"));
	while (stmt_next(file, &ev) == 1)
		trace_apply(trace, &ev);
	trace_apply_header(trace, stmt_header(file));
	trace_finish(trace);
	trace_free(trace);
	stmt_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t skip = size > PGT_HEADER_SIZE ? PGT_HEADER_SIZE : 0, length;
	char *bytes = with_header(data + skip, size - skip, &length);

	log_set_hook(ignore_line, NULL);
	show(data, size);
	show(bytes, length);
	free(bytes);
	return 0;
}
