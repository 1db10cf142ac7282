/* SPDX-License-Identifier: PostgreSQL */
/* The real rings: a BPF_OUTPUT event on each CPU, mapped, and put into the programs' map. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "probe/cpulist.h"
#include "probe/syscalls.h"
#include "ring/ring.h"

struct mapped {
	int fd;			/* -1: none */
	void *base;		/* NULL: not mapped */
	size_t length;
	struct ring *ring;
};

struct ring_set {
	int epoll;
	struct mapped *rings;
	size_t count;
};

static int open_output(uint32_t cpu, size_t data_size)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_BPF_OUTPUT;
	attr.sample_type = PERF_SAMPLE_RAW;
	attr.sample_period = 1;
	/* Waking us costs the traced process; a quarter leaves us three to be late in. */
	attr.watermark = 1;
	attr.wakeup_watermark = (uint32_t)(data_size / 4);
	return perf_event_open(&attr, -1, (int)cpu);
}

/* On failure returns what failed, with errno set; m keeps what there is. */
static const char *open_mapped(struct mapped *m, int map_fd, uint32_t cpu, size_t data_pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	m->length = (1 + data_pages) * page;
	m->fd = open_output(cpu, data_pages * page);
	if (m->fd < 0) {
		errno = -m->fd;
		return "open the perf ring";
	}
	m->base = mmap(NULL, m->length, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (m->base == MAP_FAILED) {
		m->base = NULL;
		return "map the perf ring";
	}
	m->ring = ring_new(m->base, page, data_pages * page, cpu);
	if (bpf_map_update(map_fd, &cpu, &m->fd) < 0)
		return "put into the BPF map the perf ring";
	return ioctl(m->fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? "enable the perf ring" : NULL;
}

static int watch(struct ring_set *set, size_t i)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

	return epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->rings[i].fd, &event);
}

static int open_all(struct ring_set *set, int map_fd, size_t data_pages, const uint32_t *cpus,
		    size_t count)
{
	const char *failed;

	for (; set->count < count; set->count++) {
		struct mapped *m = &set->rings[set->count];
		uint32_t cpu = cpus[set->count];

		*m = (struct mapped){ .fd = -1 };
		failed = open_mapped(m, map_fd, cpu, data_pages);
		if (!failed && watch(set, set->count) < 0)
			failed = "watch the perf ring";
		if (failed) {
			log_error("cannot %s of CPU %u (%zu pages): %s (see 'pgtrace-perf doctor': perf_event_open)",
				  failed, cpu, data_pages, strerror(errno));
			set->count++;
			return -1;
		}
	}
	return 0;
}

struct ring_set *ring_set_open(int map_fd, size_t data_pages)
{
	uint32_t cpus[CPU_MAX];
	int count = cpulist_read("/sys/devices/system/cpu/online", cpus, CPU_MAX);
	struct ring_set *set;

	if (count <= 0) {
		log_error("cannot read /sys/devices/system/cpu/online: is /sys mounted?");
		return NULL;
	}
	set = xcalloc(1, sizeof(*set));
	set->rings = xcalloc((size_t)count, sizeof(*set->rings));
	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (set->epoll < 0)
		log_error("cannot make an epoll descriptor: %s", strerror(errno));
	if (set->epoll >= 0 && open_all(set, map_fd, data_pages, cpus, (size_t)count) == 0)
		return set;
	ring_set_free(set);
	return NULL;
}

void ring_set_free(struct ring_set *set)
{
	size_t i;

	if (!set)
		return;
	for (i = 0; i < set->count; i++) {
		struct mapped *m = &set->rings[i];

		ring_free(m->ring);
		if (m->base)
			munmap(m->base, m->length);
		if (m->fd >= 0)
			close(m->fd);
	}
	if (set->epoll >= 0)
		close(set->epoll);
	free(set->rings);
	free(set);
}

size_t ring_set_count(const struct ring_set *set)
{
	return set->count;
}

struct ring *ring_set_ring(struct ring_set *set, size_t i)
{
	return set->rings[i].ring;
}

int ring_set_fd(const struct ring_set *set)
{
	return set->epoll;
}
