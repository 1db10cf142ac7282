/* SPDX-License-Identifier: PostgreSQL */
/*
 * A process to be traced: it reports waits as a PostgreSQL server does, through a global
 * pointer my_wait_event_info, at code whose instructions are known.
 *
 * It prints "site NAME 0xOFFSET" (in its file) for each place to probe, then
 * "word 0xADDRESS", then "ready"; then obeys lines from standard input:
 *
 *	wait KIND EVENT COUNT US	COUNT waits of at least US us each: "waits COUNT ns NS",
 *					NS in all
 *	merged EVENT COUNT		COUNT waits without a pause, each ended by the next one's start
 *	pending EVENT US		says "pending", then waits once, then computes for a second
 *	activity STATE TEXT		calls report_activity(STATE, TEXT); no TEXT: NULL
 *	long LENGTH			report_activity(3, LENGTH times 'x')
 *	switch COUNT			COUNT context switches: "ns NS"
 *	quit
 *
 * KIND is which probes the sites suit: emulated, stepped, or return.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t word;
uint32_t *volatile my_wait_event_info = &word;

void start_emulated(uint32_t event);
void end_emulated(void);
void start_stepped(uint32_t event);
void end_stepped(void);
void start_return(uint32_t event);
void end_return(void);
void end_and_start(uint32_t event);
void report_activity(int state, const char *text);
extern const char probe_start_emulated[], probe_end_emulated[], probe_start_stepped[], probe_end_stepped[],
	probe_merged[], probe_pad[], probe_refused[];

/*
 * The store, then the instruction that the probe is put on.  The kernel emulates "jmp" and "push %reg"
 * and single-steps "mov %rax,%rax" (arch/x86/kernel/uprobes.c).
 */
#define POINTER "mov my_wait_event_info(%rip), %rax\n"
#define FUNCTION(name) ".globl " name "\n.type " name ", @function\n" name ":\n"
#define PROBE(name) ".globl probe_" name "\nprobe_" name ":\n"
__asm__(".text\n"
	FUNCTION("start_emulated") POINTER "movl %edi, (%rax)\n" PROBE("start_emulated") "jmp 1f\n1: ret\n"
	FUNCTION("end_emulated") POINTER "movl $0, (%rax)\n" PROBE("end_emulated") "jmp 1f\n1: ret\n"
	FUNCTION("start_stepped") POINTER "movl %edi, (%rax)\n" PROBE("start_stepped") "mov %rax, %rax\nret\n"
	FUNCTION("end_stepped") POINTER "movl $0, (%rax)\n" PROBE("end_stepped") "mov %rax, %rax\nret\n"
	FUNCTION("start_return") "push %rbp\n" POINTER "movl %edi, (%rax)\npop %rbp\nret\n"
	FUNCTION("end_return") "push %rbp\n" POINTER "movl $0, (%rax)\npop %rbp\nret\n"
	FUNCTION("end_and_start") POINTER "movl $0, (%rax)\nmovl %edi, (%rax)\n" PROBE("merged") "jmp 1f\n1: ret\n"
	PROBE("pad") ".rept 256\n.byte 0xeb, 0\n.endr\nret\n"	/* "jmp +0" for many probes; never run */
	PROBE("refused") "lock incl (%rax)\nret\n"	/* no uprobe goes on a lock prefix; never run */
	FUNCTION("report_activity") "push %rbp\nmov %rsp, %rbp\npop %rbp\nret\n");

static const struct kind {
	const char *name;
	void (*start)(uint32_t event);
	void (*end)(void);
} kinds[] = {
	{ "emulated", start_emulated, end_emulated },
	{ "stepped", start_stepped, end_stepped },
	{ "return", start_return, end_return },
};

static const struct {
	const char *name;
	const void *at;
} sites[] = {
	{ "start_emulated", probe_start_emulated },
	{ "end_emulated", probe_end_emulated },
	{ "start_stepped", probe_start_stepped },
	{ "end_stepped", probe_end_stepped },
	{ "start_return", (const void *)start_return },
	{ "end_return", (const void *)end_return },
	{ "merged", probe_merged },
	{ "activity", (const void *)report_activity },
	{ "pad", probe_pad },
	{ "refused", probe_refused },
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Where address lies in the executable, by /proc/self/maps. */
static uint64_t file_offset(const void *address)
{
	uint64_t at = (uint64_t)(uintptr_t)address, start, end, offset;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[1024];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) == 3 &&
		    at >= start && at < end) {
			fclose(maps);
			return at - start + offset;
		}
	fprintf(stderr, "target_wait: %p is in no mapping\n", address);
	exit(1);
}

static void print_sites(void)
{
	size_t i;

	for (i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
		printf("site %s 0x%" PRIx64 "\n", sites[i].name, file_offset(sites[i].at));
	printf("word 0x%" PRIx64 "\nready\n", (uint64_t)(uintptr_t)&word);
}

static const struct kind *find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fprintf(stderr, "target_wait: no kind %s\n", name);
	exit(1);
}

static void do_waits(const struct kind *kind, uint32_t event, unsigned count, unsigned us)
{
	uint64_t begin = now_ns();
	unsigned i;

	for (i = 0; i < count; i++) {
		kind->start(event);
		if (us)
			usleep(us);
		kind->end();
	}
	printf("waits %u ns %" PRIu64 "\n", count, now_ns() - begin);
}

static void do_merged(uint32_t event, unsigned count)
{
	uint64_t begin = now_ns();
	unsigned i;

	for (i = 0; i < count; i++)
		end_and_start(event);
	end_emulated();
	printf("waits %u ns %" PRIu64 "\n", count, now_ns() - begin);
}

/* The answer goes first: it is a system call, and there is to be none after the wait. */
static void do_pending(uint32_t event, unsigned us)
{
	uint64_t until;

	start_emulated(event);
	usleep(us);
	end_emulated();
	until = now_ns() + 1000000000;
	while (now_ns() < until)
		;
}

static void do_long(unsigned length)
{
	char *text = calloc(1, length + 1);

	if (!text)
		exit(1);
	memset(text, 'x', length);
	report_activity(3, text);
	free(text);
	printf("activity\n");
}

static void do_switches(unsigned count)
{
	const struct timespec brief = { 0, 1 };
	uint64_t begin = now_ns();
	unsigned i;

	for (i = 0; i < count; i++)
		nanosleep(&brief, NULL);
	printf("ns %" PRIu64 "\n", now_ns() - begin);
}

static void obey(char *line)
{
	char kind[16];
	unsigned event, count, us;
	int state, used;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "wait %15s %u %u %u", kind, &event, &count, &us) == 4) {
		do_waits(find_kind(kind), event, count, us);
	} else if (sscanf(line, "merged %u %u", &event, &count) == 2) {
		do_merged(event, count);
	} else if (sscanf(line, "pending %u %u", &event, &us) == 2) {
		printf("pending\n");
		do_pending(event, us);
	} else if (sscanf(line, "activity %d%n", &state, &used) == 1) {
		report_activity(state, line[used] ? line + used + 1 : NULL);
		printf("activity\n");
	} else if (sscanf(line, "long %u", &count) == 1) {
		do_long(count);
	} else if (sscanf(line, "switch %u", &count) == 1) {
		do_switches(count);
	} else {
		exit(strcmp(line, "quit") != 0);
	}
}

int main(void)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	print_sites();
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return 0;
}
