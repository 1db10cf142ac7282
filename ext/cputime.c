/* SPDX-License-Identifier: PostgreSQL */
/*
 * cputime.c
 *	  CPU time and run-queue time of this backend.
 *
 * Asking the kernel takes two system calls: CLOCK_THREAD_CPUTIME_ID (250 ns on
 * the machine of the design) and a pread of /proc/self/schedstat (400 ns), whose
 * second number is the time spent runnable without a CPU.  Its first number would
 * be the CPU time, but is stale by up to a tick.
 *
 * Most intervals that we measure see no context switch.  Then the CPU time grew
 * as CLOCK_MONOTONIC did and the run-queue time did not, and nobody needs to be
 * asked.  To know it without a system call we map the page of a software perf
 * event (task-clock of ourselves, user space only, which needs no privilege up to
 * perf_event_paranoid 2): the kernel rewrites that page, and so changes its
 * sequence word "lock", each time this thread is scheduled in (kernel:
 * kernel/events/core.c, task_clock_event_add, perf_event_update_userpage).  In
 * 600,000 intervals on a machine with more runnable threads than CPUs, no interval
 * with an unchanged word had a context switch by schedstat's count.
 *
 * Where the event is refused, the two system calls are made every time.
 */
#include "postgres.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage/fd.h"

#include "clock.h"
#include "cputime.h"
#include "record_file.h"

static struct
{
	int			schedstat;		/* -1: not there */
	int			event;			/* -1: refused */
	volatile struct perf_event_mmap_page *page; /* NULL: refused */
	uint32		switches;		/* page->lock when last asked */
	bool		asked;			/* the rest is valid */
	uint64		now;			/* when last asked */
	uint64		cpu;
	uint64		runqueue;
}			state = {.schedstat = -1, .event = -1};

static void
open_event(void)
{
	struct perf_event_attr attr;
	void	   *p;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_TASK_CLOCK;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	state.event = (int) syscall(SYS_perf_event_open, &attr, 0, -1, -1,
								PERF_FLAG_FD_CLOEXEC);
	if (state.event < 0)
		return;
	p = mmap(NULL, (size_t) sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED,
			 state.event, 0);
	if (p != MAP_FAILED)
	{
		state.page = p;
		ReserveExternalFD();
		return;
	}
	close(state.event);
	state.event = -1;
}

/* The second number of "sum_exec_runtime run_delay pcount\n"; 0 if unknown. */
static uint64
read_runqueue(void)
{
	char		buf[96];
	const char *p = buf;
	uint64		value = 0;
	ssize_t		n;

	if (state.schedstat < 0)
		return 0;
	n = pread(state.schedstat, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return state.runqueue;
	buf[n] = '\0';
	while (*p != ' ' && *p != '\0')
		p++;
	if (*p == ' ')
		p++;
	while (*p >= '0' && *p <= '9')
		value = value * 10 + (uint64) (*p++ - '0');
	return value;
}

static void
open_schedstat(void)
{
	state.schedstat = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	if (state.schedstat >= 0)
		ReserveExternalFD();
	else
		record_write_note("run-queue time is not known: /proc/self/schedstat cannot be read",
						  clock_mono_ns());
}

void
cputime_open(void)
{
	state.asked = false;
	open_event();
	open_schedstat();
}

void
cputime_close(void)
{
	if (state.event >= 0)
	{
		munmap((void *) state.page, (size_t) sysconf(_SC_PAGESIZE));
		close(state.event);
		ReleaseExternalFD();
	}
	if (state.schedstat >= 0)
	{
		close(state.schedstat);
		ReleaseExternalFD();
	}
	state.page = NULL;
	state.event = state.schedstat = -1;
}

/*
 * The word is read first: a switch while we ask makes the next call ask again,
 * and this one is then off by no more than that switch.
 */
static void
ask(uint64 now)
{
	if (state.page != NULL)
		state.switches = state.page->lock;
	state.runqueue = read_runqueue();
	state.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	/* cpu is as of here, not as of now. */
	state.now = clock_mono_ns();
	state.cpu -= Min(state.cpu, state.now - now);
	state.now = now;
	state.asked = true;
}

void
cputime_get(uint64 now, uint64 *cpu_ns, uint64 *runqueue_ns)
{
	if (state.page == NULL || !state.asked ||
		unlikely(state.page->lock != state.switches))
		ask(now);
	*cpu_ns = state.cpu + (now - state.now);
	*runqueue_ns = state.runqueue;
}
