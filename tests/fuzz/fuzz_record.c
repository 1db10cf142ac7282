/* SPDX-License-Identifier: PostgreSQL */
/*
 * Any bytes as a record file, through the reader, the model and both renderers.
 *
 * Most of the input is taken for the records behind a header that is well, since a file without one is
 * refused at once; where the input begins with the magic it is a whole file.
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

static void show(struct stmt_file *file)
{
	struct trace *trace = trace_new();
	struct event ev;
	size_t i;

	for (i = 0; sink_formats[i]; i++)
		trace_add_sink(trace, sink_open(sink_formats[i], "/dev/null"));
	while (stmt_next(file, &ev) == 1)
		trace_apply(trace, &ev);
	trace_apply_header(trace, stmt_header(file));
	trace_finish(trace);
	trace_free(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole = size >= sizeof(PGT_MAGIC) && !memcmp(data, PGT_MAGIC, sizeof(PGT_MAGIC));
	char *bytes = NULL;
	size_t length = size;
	struct stmt_file *file;

	log_set_hook(ignore_line, NULL);
	if (!whole)
		bytes = with_header(data, size, &length);
	file = stmt_open_memory(whole ? (const void *)data : bytes, length, "input");
	if (file)
		show(file);
	stmt_close(file);
	free(bytes);
	return 0;
}
