/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/extension.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

int extension_open(struct extension *ext, const struct target *target, uint32_t level)
{
	memset(ext, 0, sizeof(*ext));
	if (!target->control) {
		if (target->has_extension)
			log_warn("process %d has pg_trace loaded but its control file is not mapped: statements come from a probe instead",
				 (int)target->pid);
		return 0;
	}
	ext->control = control_open(target->control, target->own_pid);
	if (!ext->control)
		return -1;
	if (control_is_tracing(ext->control) || control_is_pending(ext->control)) {
		control_base(ext->control, ext->base);
		log_verbose("joining the trace %s that is on already", ext->base);
		return 0;
	}
	snprintf(ext->base, sizeof(ext->base), "pg_trace_%d_%lld", (int)target->own_pid,
		 (long long)(clock_wall_us() / 1000000));
	ext->ours = true;
	return control_start(ext->control, level, ext->base);
}

static void fail(struct extension *ext, const char *why)
{
	ext->failed = true;
	snprintf(ext->why, sizeof(ext->why),
		 "the extension's trace could not start (%s; see pg_trace.output_directory): no binds, plans, rows, CPU", why);
	log_warn("%s", ext->why);
}

/* certain: the backend says that it has begun; else it may have ended before it could. */
static bool open_records(struct extension *ext, bool certain)
{
	struct stmt_file *file;

	free(ext->record_path);
	ext->record_path = control_record_path(ext->control, ext->base);
	if (!certain && access(ext->record_path, F_OK))
		return false;
	file = stmt_open(ext->record_path);
	if (!file) {
		fail(ext, "its record file cannot be read");
		return false;
	}
	log_verbose("reading statements from %s", ext->record_path);
	ext->records = record_source_new(file);
	return true;
}

bool extension_poll(struct extension *ext)
{
	if (!ext->control)
		return false;
	if (ext->ours)
		control_heartbeat(ext->control);
	if (ext->records || ext->failed)
		return false;
	switch (control_poll(ext->control)) {
	case CONTROL_TRACING:
		return open_records(ext, true);
	case CONTROL_ENDED:	/* begun and ended between two looks */
		return open_records(ext, false);
	case CONTROL_FAILED:
		fail(ext, strerror(control_failure(ext->control)));
		return false;
	default:
		return false;
	}
}

void extension_stop(struct extension *ext)
{
	if (ext->control && ext->ours && !ext->failed)
		control_stop(ext->control);
}

void extension_close(struct extension *ext)
{
	record_source_free(ext->records);
	control_close(ext->control);
	free(ext->record_path);
	memset(ext, 0, sizeof(*ext));
}
