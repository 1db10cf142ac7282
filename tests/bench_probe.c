/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the probes cost, measured on target_wait: attaching and detaching, a wait with its two
 * probes, a context switch of a traced process.  Prints one line a figure; needs root.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "live.h"
#include "probe/feature.h"

#define WAITS 20000
#define PAD_STRIDE 2
#define PADS 180

static struct live_target target;

static double since_ms(uint64_t start)
{
	return (double)(clock_mono_ns() - start) / 1e6;
}

static double wait_ns(const char *kind)
{
	char line[64];
	unsigned count;
	uint64_t ns;

	snprintf(line, sizeof(line), "wait %s 7 %d 0", kind, WAITS);
	live_must(sscanf(live_ask(&target, line), "waits %u ns %" SCNu64, &count, &ns) == 2, "no answer");
	return (double)ns / count;
}

static uint64_t drain(struct ring_set *rings)
{
	uint64_t samples = 0;
	size_t i, size;

	for (i = 0; i < ring_set_count(rings); i++) {
		while (ring_next(ring_set_ring(rings, i), &size))
			samples++;
		ring_done(ring_set_ring(rings, i));
	}
	return samples;
}

static void bench_wait(const char *kind, bool with_rings)
{
	struct probe_set *set = probe_set_new();
	struct ring_set *rings = with_rings ? ring_set_open(probe_set_output_map(set), 1024) : NULL;
	double bare = wait_ns(kind), best = 1e12;
	struct probe probes[2];
	uint64_t samples = 0, start;
	char site[32];
	int round;

	snprintf(site, sizeof(site), "start_%s", kind);
	probes[0] = live_probe(&target, site, PROGRAM_WAIT);
	snprintf(site, sizeof(site), "end_%s", kind);
	probes[1] = live_probe(&target, site, PROGRAM_WAIT);
	live_must(probe_set_define(set, target.exe, probes, 2) == 0, "a probe cannot be defined");
	live_attach(set, &target);
	for (round = 0; round < 5; round++) {
		double ns = wait_ns(kind);

		best = ns < best ? ns : best;
		if (rings)
			samples += drain(rings);
	}
	printf("wait, %s%s: %.0f ns, without probes %.1f ns\n", kind, rings ? "" : ", no ring", best, bare);
	if (rings)
		printf("  samples read: %" PRIu64 " of %d\n", samples, 5 * WAITS);
	start = clock_mono_ns();
	ring_set_free(rings);
	probe_set_free(set);
	printf("  removing 2 probes: %.1f ms\n", since_ms(start));
}

static double switch_ns(void)
{
	uint64_t ns, best = UINT64_MAX;
	int round;

	for (round = 0; round < 5; round++) {
		live_must(sscanf(live_ask(&target, "switch 1000"), "ns %" SCNu64, &ns) == 1, "no answer");
		best = ns < best ? ns : best;
	}
	return (double)best / 1000;
}

static void bench_attach(void)
{
	struct probe pad = live_probe(&target, "pad", PROGRAM_WAIT), probes[PADS];
	double bare = switch_ns();
	struct probe_set *set;
	uint64_t start;
	size_t i;

	for (i = 0; i < PADS; i++) {
		probes[i] = pad;
		probes[i].offset += i * PAD_STRIDE;
	}
	start = clock_mono_ns();
	set = probe_set_new();
	printf("maps and programs: %.1f ms\n", since_ms(start));
	start = clock_mono_ns();
	live_must(probe_set_define(set, target.exe, probes, PADS) == 0, "a probe cannot be defined");
	printf("define %d probes: %.1f ms\n", PADS, since_ms(start));
	start = clock_mono_ns();
	live_attach(set, &target);
	printf("attach %d probes: %.1f ms\n", PADS, since_ms(start));
	printf("sleep and wake: %.0f ns, without probes %.0f ns\n", switch_ns(), bare);
	start = clock_mono_ns();
	probe_set_detach(set, target.pid, NULL);
	printf("detach: %.1f ms\n", since_ms(start));
	start = clock_mono_ns();
	probe_set_free(set);
	printf("remove: %.1f ms\n", since_ms(start));
}

int main(void)
{
	const struct feature *lacking;
	char detail[256];

	lacking = feature_first_missing(detail, sizeof(detail));
	if (lacking) {
		printf("SKIP: %s: %s; %s\n", lacking->name, detail, lacking->mend);
		return 77;
	}
	live_start(&target);
	bench_attach();
	bench_wait("emulated", false);
	bench_wait("emulated", true);
	bench_wait("stepped", true);
	bench_wait("return", true);
	live_stop(&target);
	return EXIT_SUCCESS;
}
