/* SPDX-License-Identifier: PostgreSQL */
#include "probe/cpulist.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool parse_number(const char **at, uint32_t *out)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**at))
		return false;
	value = strtoul(*at, &end, 10);
	*at = end;
	*out = (uint32_t)value;
	return value < CPU_MAX;
}

/* "3" or "0-3" */
static bool parse_range(const char **at, uint32_t *first, uint32_t *last)
{
	if (!parse_number(at, first))
		return false;
	*last = *first;
	if (**at != '-')
		return true;
	(*at)++;
	return parse_number(at, last) && *last >= *first;
}

int cpulist_parse(const char *text, uint32_t *cpus, size_t max)
{
	uint32_t first, last;
	size_t count = 0;

	for (;;) {
		if (!parse_range(&text, &first, &last) || last - first >= max - count)
			return -1;
		while (first <= last)
			cpus[count++] = first++;
		if (*text != ',')
			break;
		text++;
	}
	if (*text == '\n')
		text++;
	return *text ? -1 : (int)count;
}

int cpulist_read(const char *path, uint32_t *cpus, size_t max)
{
	char text[4096];
	FILE *file = fopen(path, "re");
	size_t length;

	if (!file)
		return -1;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	return cpulist_parse(text, cpus, max);
}

uint32_t cpu_possible_end(void)
{
	uint32_t cpus[CPU_MAX];
	int count = cpulist_read("/sys/devices/system/cpu/possible", cpus, CPU_MAX);

	return count > 0 ? cpus[count - 1] + 1 : 1;
}
