/* SPDX-License-Identifier: PostgreSQL */
/*
 * guc.c
 *	  The settings under pg_trace., one table for each type.
 *
 * None can be set by a plain user: the superuser's settings bound what a trace
 * may cost, and the two that name a path come from the configuration file only.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "compat.h"
#include "guc.h"
#include "record.h"
#include "requests.h"

bool		guc_enabled;
int			guc_level;
char	   *guc_output_directory;
int			guc_max_file_size;
int			guc_bind_max_length;
bool		guc_redact_binds;
bool		guc_node_timing;
char	   *guc_printer;

typedef struct BoolSetting
{
	const char *name;
	const char *brief;
	bool	   *variable;
	bool		initial;
	GucBoolAssignHook assign;
} BoolSetting;

typedef struct IntSetting
{
	const char *name;
	const char *brief;
	int		   *variable;
	int			initial;
	int			min;
	int			max;
	int			flags;
} IntSetting;

typedef struct PathSetting
{
	const char *name;
	const char *brief;
	const char *detail;
	char	  **variable;
	const char *initial;
} PathSetting;

static void
assign_enabled(bool newval, void *extra)
{
	requests_look_again();
}

static const BoolSetting bool_settings[] = {
	{"pg_trace.enabled",
		"Traces this session from its next statement on.",
	&guc_enabled, false, assign_enabled},
	{"pg_trace.redact_binds",
		"Writes the types of bind values, but not the values.",
	&guc_redact_binds, false, NULL},
	{"pg_trace.node_timing",
		"Measures the time of each plan node when a plan's statistics are taken.",
	&guc_node_timing, true, NULL},
};

static const IntSetting int_settings[] = {
	{"pg_trace.level",
		"Level of the traces that pg_trace.enabled starts.",
	&guc_level, 12, 1, PGT_LEVEL_ALL, 0},
	{"pg_trace.max_file_size",
		"Largest size of a record file; 0 is no limit.",
	&guc_max_file_size, 1024 * 1024, 0, PG_INT32_MAX, GUC_UNIT_KB},
	{"pg_trace.bind_max_length",
		"Longest text of one bind value; the rest is cut.",
	&guc_bind_max_length, 4096, 0, 64 * 1024 * 1024, GUC_UNIT_BYTE},
};

static const PathSetting path_settings[] = {
	{"pg_trace.output_directory",
		"Directory of the record files.",
		"Relative to the data directory. Read when the library is loaded.",
	&guc_output_directory, "pg_trace"},
	{"pg_trace.printer",
		"Program that makes a readable trace of a record file.",
		"Without a slash it is searched in PATH, /usr/local/bin and /usr/bin.",
	&guc_printer, "pgtrace-perf"},
};

static bool
check_path(char **newval, void **extra, GucSource source)
{
	if (*newval == NULL || **newval == '\0')
	{
		GUC_check_errdetail("The value must not be empty.");
		return false;
	}
	if (strlen(*newval) >= MAXPGPATH / 2)
	{
		GUC_check_errdetail("The value must be shorter than %d bytes.",
							MAXPGPATH / 2);
		return false;
	}
	return true;
}

void
guc_define(void)
{
	for (int i = 0; i < lengthof(bool_settings); i++)
	{
		const BoolSetting *s = &bool_settings[i];

		DefineCustomBoolVariable(s->name, s->brief, NULL, s->variable,
								 s->initial, PGC_SUSET, 0, NULL, s->assign,
								 NULL);
	}
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		const IntSetting *s = &int_settings[i];

		DefineCustomIntVariable(s->name, s->brief, NULL, s->variable,
								s->initial, s->min, s->max, PGC_SUSET,
								s->flags, NULL, NULL, NULL);
	}
	for (int i = 0; i < lengthof(path_settings); i++)
	{
		const PathSetting *s = &path_settings[i];

		DefineCustomStringVariable(s->name, s->brief, s->detail, s->variable,
								   s->initial, PGC_SIGHUP, GUC_SUPERUSER_ONLY,
								   check_path, NULL, NULL);
	}
	compat_reserve_prefix("pg_trace");
}
