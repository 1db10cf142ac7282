/* SPDX-License-Identifier: PostgreSQL */
/*
 * A main() for fuzz targets where the compiler has no libFuzzer:
 *
 *	fuzz_NAME [-runs=N] [-seed=N] FILE...
 *
 * hands each file to LLVMFuzzerTestOneInput, then N deterministic mutations of them, in
 * memory that ends at a guard page.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/guard.h"

#define INPUT_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *bytes;
	size_t size;
};

static uint64_t random_state;

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators"). */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static size_t below(size_t limit)
{
	return limit ? (size_t)(next_random() % limit) : 0;
}

static int load(const char *path, struct input *input)
{
	FILE *file = fopen(path, "r");
	size_t got;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	input->bytes = malloc(INPUT_MAX);
	got = input->bytes ? fread(input->bytes, 1, INPUT_MAX, file) : 0;
	fclose(file);
	if (!input->bytes)
		return -1;
	input->size = got;
	return 0;
}

static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *guarded = guard_copy(bytes, size);

	LLVMFuzzerTestOneInput(guarded, size);
	guard_free(guarded, size);
}

/* Numbers that length checks get wrong. */
static const uint64_t awkward[] = {
	0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	INT64_MAX, UINT64_MAX - 7, UINT64_MAX,
};

static void mutate_once(uint8_t *bytes, size_t size)
{
	static const uint8_t widths[] = { 1, 2, 4, 8 };
	/* Headers decide most: half of the changes go to the first 1024 bytes. */
	size_t reach = next_random() & 1 && size > 1024 ? 1024 : size;
	size_t at = below(reach), width = widths[below(sizeof(widths))];
	uint64_t number = awkward[below(sizeof(awkward) / sizeof(awkward[0]))];

	if (next_random() & 1)
		number = next_random();
	if (width > size - at)
		width = size - at;
	memcpy(bytes + at, &number, width);
}

static void run_mutation(const struct input *input)
{
	size_t size = below(8) ? input->size : below(input->size);
	size_t changes = 1 + below(8);
	uint8_t *bytes;

	if (!size)
		return;
	bytes = guard_copy(input->bytes, size);
	while (changes--)
		mutate_once(bytes, size);
	LLVMFuzzerTestOneInput(bytes, size);
	guard_free(bytes, size);
}

static int run_all(const struct input *inputs, size_t count, unsigned long runs)
{
	unsigned long i;
	size_t j;

	for (j = 0; j < count; j++)
		run(inputs[j].bytes, inputs[j].size);
	for (i = 0; count && i < runs; i++)
		run_mutation(&inputs[i % count]);
	printf("%zu inputs, %lu mutations: no fault\n", count, count ? runs : 0);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct input *inputs = calloc((size_t)argc, sizeof(*inputs));
	unsigned long runs = 0;
	size_t count = 0;
	int i, status;

	random_state = 1;
	for (i = 1; inputs && i < argc; i++) {
		if (!strncmp(argv[i], "-runs=", 6))
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (!strncmp(argv[i], "-seed=", 6))
			random_state = strtoul(argv[i] + 6, NULL, 10) | 1;
		else if (load(argv[i], &inputs[count++]))
			return 2;
	}
	if (!inputs || !count) {
		fprintf(stderr, "usage: %s [-runs=N] [-seed=N] FILE...\n", argv[0]);
		free(inputs);
		return 2;
	}
	status = run_all(inputs, count, runs);
	while (count)
		free(inputs[--count].bytes);
	free(inputs);
	return status;
}
