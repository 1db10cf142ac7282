/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/extension.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* A name that no record file has. */
static void choose_base(struct extension *ext, pid_t pid)
{
	long long epoch = clock_wall_us() / 1000000;
	bool taken = true;
	char *path;

	while (taken) {
		snprintf(ext->base, sizeof(ext->base), "pg_trace_%d_%lld", (int)pid, epoch++);
		path = control_record_path(ext->control, ext->base);
		taken = access(path, F_OK) == 0;
		free(path);
	}
}

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
		ext->beats = control_needs_heartbeat(ext->control);
		log_verbose("joining the trace %s that is on already", ext->base);
		return 0;
	}
	choose_base(ext, target->own_pid);
	ext->ours = ext->beats = true;
	return control_start(ext->control, level, ext->base);
}

/* SQL was faster with a trace of its own: that one is read, and is not ours to end. */
static void join_other(struct extension *ext)
{
	char base[PGT_BASE_SIZE];

	control_base(ext->control, base);
	if (!strcmp(base, ext->base))
		return;
	memcpy(ext->base, base, sizeof(base));
	ext->ours = ext->beats = false;
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

	if (certain)
		join_other(ext);
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
	if (ext->beats)
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
