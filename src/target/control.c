/* SPDX-License-Identifier: PostgreSQL */
/*
 * The file is the server's own, but it is checked like any other: its size before it is
 * mapped, names before they become part of a path.
 */
#include "target/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

struct control {
	char *path;
	char *directory;	/* to open files in, also when the backend is gone */
	int directory_fd;
	struct pgt_control *file;
	size_t size;
	struct pgt_slot *slot;
	uint32_t asked_seq;	/* 0: we asked for nothing */
	uint32_t pid;
};

static bool is_sane(const struct pgt_control *file, size_t size)
{
	return !memcmp(file->magic, PGT_CONTROL_MAGIC, sizeof(file->magic)) &&
	       file->slot_size == sizeof(struct pgt_slot) && file->slots > 0 &&
	       file->slots <= (size - PGT_CONTROL_HEADER) / sizeof(struct pgt_slot);
}

static int map_file(struct control *control)
{
	int fd = open(control->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *mapped;

	if (fd < 0)
		return log_error("cannot open the extension's control file %s: %s", control->path,
				 strerror(errno));
	if (fstat(fd, &st) || st.st_size < (off_t)(PGT_CONTROL_HEADER + sizeof(struct pgt_slot))) {
		close(fd);
		return log_error("%s is no control file of pg_trace: it is too short", control->path);
	}
	control->size = st.st_size;
	mapped = mmap(NULL, control->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return log_error("cannot map %s: %s", control->path, strerror(errno));
	control->file = mapped;
	if (!is_sane(control->file, control->size))
		return log_error("%s is no control file of this version of pg_trace", control->path);
	return 0;
}

static struct pgt_slot *slot_at(const struct control *control, uint32_t i)
{
	return (struct pgt_slot *)((char *)control->file + PGT_CONTROL_HEADER) + i;
}

static struct pgt_slot *find_slot(const struct control *control, uint32_t pid)
{
	uint32_t slots = control->file->slots;
	uint32_t at = pgt_slot_first(pid, slots);
	uint32_t i;

	for (i = 0; i < slots; i++, at = (at + 1) % slots)
		if (__atomic_load_n(&slot_at(control, at)->pid, __ATOMIC_ACQUIRE) == pid)
			return slot_at(control, at);
	return NULL;
}

/* A backend that has run no statement since it began may have no slot yet: claim one for it. */
static struct pgt_slot *claim_slot(const struct control *control)
{
	uint32_t slots = control->file->slots;
	uint32_t at = pgt_slot_first(control->pid, slots);
	uint32_t i;

	for (i = 0; i < slots; i++, at = (at + 1) % slots) {
		uint32_t free_pid = 0;

		if (__atomic_compare_exchange_n(&slot_at(control, at)->pid, &free_pid, control->pid,
						false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return slot_at(control, at);
	}
	return NULL;
}

/* The name by which we reach the same directory ourselves; it is another, or none, in a container. */
static char *own_name(int fd, const char *through_fd)
{
	char name[PATH_MAX];
	ssize_t length = readlink(through_fd, name, sizeof(name) - 1);
	struct stat here, there;

	if (length < 0)
		return NULL;
	name[length] = '\0';
	if (fstat(fd, &there) || stat(name, &here) || here.st_dev != there.st_dev || here.st_ino != there.st_ino)
		return NULL;
	return xstrdup(name);
}

/* path begins with /proc/PID/root, which ends with the process; an open directory does not. */
static int hold_directory(struct control *control)
{
	const char *slash = strrchr(control->path, '/');
	char *parent = slash ? xmemdup0(control->path, slash - control->path) : xstrdup(".");
	char *through_fd;

	control->directory_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (control->directory_fd < 0) {
		log_error("cannot open the extension's directory %s: %s", parent, strerror(errno));
		free(parent);
		return -1;
	}
	free(parent);
	through_fd = xasprintf("/proc/self/fd/%d", control->directory_fd);
	control->directory = own_name(control->directory_fd, through_fd);
	if (control->directory)
		free(through_fd);
	else
		control->directory = through_fd;
	return 0;
}

struct control *control_open(const char *path, pid_t own_pid)
{
	struct control *control = xcalloc(1, sizeof(*control));

	control->path = xstrdup(path);
	control->directory_fd = -1;
	control->pid = (uint32_t)own_pid;
	if (map_file(control) || hold_directory(control)) {
		control_close(control);
		return NULL;
	}
	control->slot = find_slot(control, control->pid);
	if (!control->slot)
		control->slot = claim_slot(control);
	if (!control->slot) {
		log_error("%s has no free slot for process %d", path, (int)own_pid);
		control_close(control);
		return NULL;
	}
	return control;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	if (control->file)
		munmap(control->file, control->size);
	if (control->directory_fd >= 0)
		close(control->directory_fd);
	free(control->path);
	free(control->directory);
	free(control);
}

static uint32_t state_of(const struct control *control)
{
	return __atomic_load_n(&control->slot->state, __ATOMIC_ACQUIRE);
}

/* The backend carries out what is asked at its next statement. */
static bool is_unanswered(const struct control *control)
{
	uint32_t asked = __atomic_load_n(&control->slot->request_seq, __ATOMIC_ACQUIRE);

	return asked != __atomic_load_n(&control->slot->answer_seq, __ATOMIC_ACQUIRE);
}

bool control_is_tracing(const struct control *control)
{
	return state_of(control) == PGT_SLOT_TRACING && !is_unanswered(control);
}

bool control_needs_heartbeat(const struct control *control)
{
	return __atomic_load_n(&control->slot->heartbeat_ns, __ATOMIC_ACQUIRE) != 0;
}

static void ask(struct control *control, enum pgt_request request)
{
	struct pgt_slot *slot = control->slot;

	slot->request = request;
	control->asked_seq = slot->request_seq + 1;
	if (control->asked_seq == 0)	/* 0 is "nothing was ever asked" */
		control->asked_seq = 1;
	__atomic_store_n(&slot->request_seq, control->asked_seq, __ATOMIC_RELEASE);
}

bool control_is_pending(const struct control *control)
{
	const struct pgt_slot *slot = control->slot;
	uint64_t beat = __atomic_load_n(&slot->heartbeat_ns, __ATOMIC_ACQUIRE);

	return is_unanswered(control) && slot->request == PGT_REQUEST_START &&
	       (!beat || clock_mono_ns() - beat < PGT_HEARTBEAT_LIMIT_NS);
}

int control_start(struct control *control, uint32_t level, const char *base)
{
	struct pgt_slot *slot = control->slot;

	if (strlen(base) >= sizeof(slot->base))
		return log_error("the trace's name '%s' is too long", base);
	slot->request_level = level;
	memset(slot->base, 0, sizeof(slot->base));
	memcpy(slot->base, base, strlen(base));
	control_heartbeat(control);
	slot->requested_ns = clock_mono_ns();
	ask(control, PGT_REQUEST_START);
	return 0;
}

enum control_state control_poll(struct control *control)
{
	uint32_t answered = __atomic_load_n(&control->slot->answer_seq, __ATOMIC_ACQUIRE);

	if (control->asked_seq && (int32_t)(answered - control->asked_seq) < 0)
		return CONTROL_WAITING;
	switch (state_of(control)) {
	case PGT_SLOT_TRACING:
		return CONTROL_TRACING;
	case PGT_SLOT_FAILED:
		return CONTROL_FAILED;
	default:
		return CONTROL_ENDED;
	}
}

int control_failure(const struct control *control)
{
	return (int)control->slot->failure;
}

void control_heartbeat(struct control *control)
{
	__atomic_store_n(&control->slot->heartbeat_ns, clock_mono_ns(), __ATOMIC_RELEASE);
}

void control_stop(struct control *control)
{
	if (__atomic_load_n(&control->slot->pid, __ATOMIC_ACQUIRE) == control->pid)
		ask(control, PGT_REQUEST_STOP);
}

void control_base(const struct control *control, char out[PGT_BASE_SIZE])
{
	memcpy(out, control_is_pending(control) ? control->slot->base : control->slot->record, PGT_BASE_SIZE);
	out[PGT_BASE_SIZE - 1] = '\0';
	/* A name, never a path. */
	for (char *at = out; (at = strchr(at, '/')); at++)
		*at = '_';
}

char *control_record_path(const struct control *control, const char *base)
{
	return xasprintf("%s/%s.rec", control->directory, base);
}
