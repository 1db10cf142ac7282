/* SPDX-License-Identifier: PostgreSQL */
/*
 * doctor: line by line, what there is and what there is not, what is lost without it, and the command
 * that mends it.  What the kernel must give is src/probe/feature.c; what the server gives is here.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "probe/feature.h"
#include "probe/source.h"
#include "site/site.h"
#include "target/target.h"

static const char help[] =
	"Usage: pgtrace-perf doctor [-p PID]\n"
	"Say what a trace needs and whether it is there, what is lost without it and what mends it.\n\n"
	"  -p, --pid=PID  also look at this backend's server\n"
	"  -h, --help     this text\n\n"
	"Exit status: 0 all is there that a trace needs, 1 something is missing, 2 wrong usage.\n";

enum verdict { OK, LESS, MISSING };	/* LESS: a trace works, with less in it */

static const char *const verdict_texts[] = { [OK] = "ok", [LESS] = "less", [MISSING] = "MISSING" };

struct doctor {
	pid_t pid;		/* 0: none was named */
	bool something_missing;
	struct target target;
	struct image *image;
};

static void say(struct doctor *d, enum verdict verdict, const char *name, const char *detail)
{
	printf("%-8s%-22s %s\n", verdict_texts[verdict], name, detail);
	if (verdict == MISSING)
		d->something_missing = true;
}

static void say_mend(const char *lost, const char *mend)
{
	if (lost)
		printf("%30s without it: %s\n", "", lost);
	if (mend)
		printf("%30s mend it: %s\n", "", mend);
}

static void check_kernel(struct doctor *d)
{
	char detail[256];
	size_t i;

	for (i = 0; i < feature_count(); i++) {
		const struct feature *feature = feature_at(i);
		enum feature_state state = feature_check(feature, detail, sizeof(detail));

		say(d, state == FEATURE_OK ? OK : MISSING, feature->name, detail);
		if (state != FEATURE_OK)
			say_mend(feature->lost, feature->mend);
	}
}

/* Each by itself: a trace works with any of them. */
static void check_sources(struct doctor *d)
{
	char detail[256], name[32];
	size_t i;

	for (i = 0; i < SOURCE_COUNT; i++) {
		const struct wait_source *source = &wait_sources[i];
		enum feature_state state = source->check(detail, sizeof(detail));

		snprintf(name, sizeof(name), "--waits=%s", source->name);
		say(d, state == FEATURE_OK ? OK : LESS, name, detail);
		if (state != FEATURE_OK)
			say_mend("waits cannot be taken from this source", source->mend);
	}
}

/* Keeps target_open's own line as the detail. */
static void keep_line(const char *line, void *arg)
{
	const char *text = strstr(line, ": ");

	snprintf(arg, 1024, "%s", text ? text + 2 : line);
}

static void check_server(struct doctor *d)
{
	char detail[1024] = "";
	int err;

	log_set_hook(keep_line, detail);
	err = target_open(&d->target, d->pid);
	log_set_hook(NULL, NULL);
	if (!err)
		snprintf(detail, sizeof(detail), "PostgreSQL %d, %s, \"%s\"", d->target.major_version,
			 d->target.exe_name, d->target.title);
	say(d, err ? MISSING : OK, "server", detail);
	if (err)
		say_mend("nothing can be traced", "name a backend: SELECT pg_backend_pid()");
}

static void check_symbols(struct doctor *d)
{
	static const char *const names[] = { "my_wait_event_info", "pgstat_report_activity" };
	struct image_symbol symbol;
	char detail[1024] = "";
	size_t i, found = 0;

	log_set_hook(keep_line, detail);
	d->image = image_open(d->target.exe);
	log_set_hook(NULL, NULL);
	for (i = 0; d->image && i < 2; i++)
		found += image_symbol(d->image, names[i], &symbol);
	if (d->image && d->target.major_version == 13)
		found += image_symbol(d->image, "MyProc", &symbol);
	if (d->image)
		snprintf(detail, sizeof(detail), "%zu of 2 found; build-id %s", found, image_build_id(d->image));
	say(d, found == 2 ? OK : MISSING, "symbols", detail);
	if (found < 2)
		say_mend("waits cannot be seen, or statements without the extension",
			 "use a server whose .dynsym has not been stripped (distributions keep it)");
}

static void check_sites(struct doctor *d)
{
	struct site_list sites;
	char detail[1024] = "";
	uint64_t began = clock_mono_ns();
	int err;

	log_set_hook(keep_line, detail);
	err = site_find(d->image, &sites);
	log_set_hook(NULL, NULL);
	if (err) {
		say(d, MISSING, "sites", detail);
		say_mend("waits cannot be seen", NULL);
		return;
	}
	snprintf(detail, sizeof(detail), "%zu wait sites in %.1f ms, %zu references not followed", sites.count,
		 (double)(clock_mono_ns() - began) / 1e6, sites.gap_count);
	say(d, sites.count ? (sites.gap_count ? LESS : OK) : MISSING, "sites", detail);
	if (sites.gap_count)
		say_mend("waits reported there are missing", "pgtrace-perf sites BINARY names them");
	site_list_release(&sites);
}

static void check_extension(struct doctor *d)
{
	const struct target *target = &d->target;

	if (target->control) {
		say(d, OK, "extension", "pg_trace is loaded and its control file is mapped");
		return;
	}
	say(d, LESS, "extension", target->has_extension ? "pg_trace is loaded, its control file is not mapped" :
							  "pg_trace is not loaded in this session");
	say_mend("binds, plans, rows, buffers, CPU, errors, nested SQL",
		 "ALTER SYSTEM SET session_preload_libraries = 'pg_trace'; SELECT pg_reload_conf(); and connect again");
}

/* The directory of the record files: where the control file lies. */
static void check_record_directory(struct doctor *d)
{
	char detail[1024];
	struct statvfs fs;
	char *dir, *slash;

	if (!d->target.control)
		return;
	dir = xstrdup(d->target.control);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (statvfs(dir, &fs)) {
		snprintf(detail, sizeof(detail), "%s: %s", dir, strerror(errno));
		say(d, MISSING, "record directory", detail);
		say_mend("the extension cannot write its records",
			 "create it again (mode 0700, the server's) or set pg_trace.output_directory");
	} else {
		snprintf(detail, sizeof(detail), "%s, %.1f GB free", dir,
			 (double)fs.f_bavail * (double)fs.f_frsize / 1e9);
		say(d, OK, "record directory", detail);
	}
	free(dir);
}

static void check_output_directory(struct doctor *d)
{
	char detail[1024], *here = getcwd(NULL, 0);
	bool writable = access(".", W_OK | X_OK) == 0;

	snprintf(detail, sizeof(detail), "%s is %s", here ? here : "the current directory",
		 writable ? "writable" : "not writable");
	free(here);
	say(d, writable ? OK : MISSING, "output directory", detail);
	if (!writable)
		say_mend("BASE.trc and BASE.pgt cannot be written here", "cd elsewhere, or name one with -o");
}

static void examine(struct doctor *d)
{
	check_kernel(d);
	check_sources(d);
	check_output_directory(d);
	if (!d->pid) {
		printf("%-8s%-22s %s\n", "-", "server", "not looked at; name a backend with --pid");
		return;
	}
	check_server(d);
	if (d->something_missing && !d->target.exe_start)
		return;
	check_symbols(d);
	if (d->image)
		check_sites(d);
	check_extension(d);
	check_record_directory(d);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct doctor d = { 0 };
	long pid;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "p:h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (c != 'p' || !parse_number(optarg, 1, 1L << 22, &pid)) {
			if (c == 'p')
				log_error("--pid takes a process number, not '%s'", optarg);
			return EXIT_USAGE;
		}
		d.pid = (pid_t)pid;
	}
	if (optind < argc) {
		log_error("doctor takes no '%s'; see pgtrace-perf doctor --help", argv[optind]);
		return EXIT_USAGE;
	}
	examine(&d);
	image_free(d.image);
	target_release(&d.target);
	return d.something_missing ? EXIT_FAILED : EXIT_OK;
}
