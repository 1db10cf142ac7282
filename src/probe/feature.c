/* SPDX-License-Identifier: PostgreSQL */
#include "probe/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/asm.h"
#include "probe/probe.h"
#include "probe/syscalls.h"

/* Of Linux 5.8; the header of an older libc may not name them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

static enum feature_state missing(char *detail, size_t size, const char *what, int error)
{
	snprintf(detail, size, "%s: %s", what, strerror(error));
	return FEATURE_MISSING;
}

/* The first line of a small file.  false: it cannot be read. */
static bool read_line(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(out, (int)size, file);

	if (file)
		fclose(file);
	if (ok)
		out[strcspn(out, "\n")] = '\0';
	return ok;
}

static uint64_t effective_capabilities(void)
{
	char line[256];
	uint64_t mask = 0;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &mask) == 1)
			break;
	fclose(file);
	return mask;
}

static bool has(uint64_t mask, int capability)
{
	return mask >> capability & 1;
}

static enum feature_state check_privilege(char *detail, size_t size)
{
	uint64_t mask = effective_capabilities();
	bool admin = has(mask, CAP_SYS_ADMIN);
	bool fine = has(mask, CAP_BPF) && has(mask, CAP_PERFMON);

	snprintf(detail, size, "uid %u, CAP_SYS_ADMIN %s, CAP_BPF and CAP_PERFMON %s",
		 (unsigned)geteuid(), admin ? "yes" : "no", fine ? "yes" : "no");
	return admin || fine ? FEATURE_OK : FEATURE_MISSING;
}

static enum feature_state check_lockdown(char *detail, size_t size)
{
	char line[128];

	/* "none [integrity] confidentiality"; what we use is refused from confidentiality on
	 * (enum lockdown_reason in include/linux/security.h). */
	if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		snprintf(line, sizeof(line), "not in this kernel, or securityfs is not mounted");
	snprintf(detail, size, "%s", line);
	return strstr(line, "[confidentiality]") ? FEATURE_MISSING : FEATURE_OK;
}

static enum feature_state check_tracefs(char *detail, size_t size)
{
	const char *path = tracefs_path();

	snprintf(detail, size, "%s", path ? path : "not mounted, or not visible to this user");
	return path ? FEATURE_OK : FEATURE_MISSING;
}

static enum feature_state check_uprobe_events(char *detail, size_t size)
{
	const char *root = tracefs_path();
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/uprobe_events", root ? root : "/sys/kernel/tracing");
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return missing(detail, size, path, errno);
	close(fd);
	snprintf(detail, size, "%s", path);
	return FEATURE_OK;
}

static enum feature_state check_perf(char *detail, size_t size)
{
	struct perf_event_attr attr;
	char paranoid[32] = "?";
	int fd;

	read_line("/proc/sys/kernel/perf_event_paranoid", paranoid, sizeof(paranoid));
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_BPF_OUTPUT;
	attr.sample_type = PERF_SAMPLE_RAW;
	fd = perf_event_open(&attr, -1, 0);
	snprintf(detail, size, "perf_event_paranoid = %s%s%s", paranoid,
		 fd < 0 ? ", perf_event_open: " : "", fd < 0 ? strerror(-fd) : "");
	if (fd < 0)
		return FEATURE_MISSING;
	close(fd);
	return FEATURE_OK;
}

/* A program that reads user memory both ways: the helpers that we cannot do without. */
static void build_reader(struct assembler *a)
{
	static const int helpers[] = { BPF_FUNC_probe_read_user, BPF_FUNC_probe_read_user_str };
	size_t i;

	asm_init(a);
	for (i = 0; i < 2; i++) {
		asm_emit(a, MOV_REG(R1, R10));
		asm_emit(a, ALU_IMM(BPF_ADD, R1, -8));
		asm_emit(a, MOV_IMM(R2, 8));
		asm_emit(a, MOV_IMM(R3, 0));
		asm_emit(a, CALL(helpers[i]));
	}
	asm_emit(a, MOV_IMM(R0, 0));
	asm_emit(a, EXIT());
}

static enum feature_state check_bpf(char *detail, size_t size)
{
	struct assembler a;
	int fd;

	build_reader(&a);
	fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "pgt_feature", a.insns, a.count, NULL, 0);
	if (fd < 0)
		return missing(detail, size, "bpf(BPF_PROG_LOAD)", -fd);
	close(fd);
	snprintf(detail, size, "a program that reads user memory loads");
	return FEATURE_OK;
}

static const struct feature features[] = {
	{ "privilege", "nothing can be traced", "run pgtrace-perf with sudo", check_privilege },
	{ "lockdown", "no wait can be traced: tracefs and perf are closed even to root",
	  "boot without lockdown=confidentiality", check_lockdown },
	{ "tracefs mounted", "no wait can be traced",
	  "mount -t tracefs tracefs /sys/kernel/tracing", check_tracefs },
	{ "uprobe_events writable", "no wait can be traced",
	  "run as root; the kernel needs CONFIG_UPROBE_EVENTS=y", check_uprobe_events },
	{ "perf_event_open", "no wait can be traced",
	  "run pgtrace-perf with sudo", check_perf },
	{ "BPF programs", "no wait can be traced",
	  "run as root on Linux 5.5 or later with CONFIG_BPF_EVENTS=y", check_bpf },
};

size_t feature_count(void)
{
	return sizeof(features) / sizeof(features[0]);
}

const struct feature *feature_at(size_t i)
{
	return &features[i];
}

enum feature_state feature_check(const struct feature *feature, char *detail, size_t size)
{
	return feature->check(detail, size);
}

const struct feature *feature_first_missing(char *detail, size_t size)
{
	size_t i;

	for (i = 0; i < feature_count(); i++)
		if (feature_check(&features[i], detail, size) != FEATURE_OK)
			return &features[i];
	return NULL;
}
