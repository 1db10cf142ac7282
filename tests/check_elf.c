/* SPDX-License-Identifier: PostgreSQL */
/* The ELF reader: what it says of a known object, and that no damage makes it read outside. */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "elf/image.h"
#include "site/site.h"
#include "tests/lib/guard.h"

#define PLAIN FIXTURES "/elf_plain.fixture"

static char *content;
static size_t content_size;
static char last_error[2048];
static unsigned int errors;

static void remember(const char *line, void *arg)
{
	(void)arg;
	snprintf(last_error, sizeof(last_error), "%s", line);
	errors++;
}

static void setup(void)
{
	FILE *file = fopen(PLAIN, "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	content_size = (size_t)ftell(file);
	rewind(file);
	content = malloc(content_size);
	ck_assert_uint_eq(fread(content, 1, content_size, file), content_size);
	fclose(file);
	errors = 0;
	last_error[0] = '\0';
	log_set_hook(remember, NULL);
}

static void teardown(void)
{
	log_set_hook(NULL, NULL);
	free(content);
}

START_TEST(symbols_are_found)
{
	struct image *image = image_open(PLAIN);
	struct image_symbol symbol, at;

	ck_assert_ptr_nonnull(image);
	ck_assert_str_eq(image_path(image), PLAIN);
	ck_assert(image_symbol(image, "second", &symbol));
	ck_assert_str_eq(symbol.name, "second");
	ck_assert(symbol.is_function);
	ck_assert_uint_eq(symbol.size, 41);
	ck_assert(image_symbol_at(image, symbol.vaddr + 40, &at));
	ck_assert_str_eq(at.name, "second");
	ck_assert(!image_symbol_at(image, symbol.vaddr + 41, &at));
	ck_assert(image_symbol(image, "counter", &symbol));
	ck_assert(!symbol.is_function);
	ck_assert_uint_eq(symbol.size, 4);
	ck_assert(!image_symbol(image, "secon", &symbol));
	ck_assert(!image_symbol(image, "seconds", &symbol));
	ck_assert(!image_symbol(image, "", &symbol));
	image_free(image);
}
END_TEST

START_TEST(addresses_become_offsets)
{
	struct image *image = image_open(PLAIN);
	struct image_symbol symbol;
	uint64_t offset;
	int32_t word;

	ck_assert_ptr_nonnull(image);
	ck_assert(image_is_pie(image));
	ck_assert_uint_eq(image_base(image), 0);
	ck_assert(image_symbol(image, "counter", &symbol));
	ck_assert(image_file_offset(image, symbol.vaddr, &offset));
	memcpy(&word, content + offset, sizeof(word));
	ck_assert_int_eq(word, 7);
	ck_assert_int_eq(memcmp(image_bytes(image, symbol.vaddr, 4), &word, 4), 0);
	ck_assert(!image_file_offset(image, UINT64_MAX, &offset));
	ck_assert_ptr_null(image_bytes(image, symbol.vaddr, UINT64_MAX));
	ck_assert_ptr_null(image_bytes(image, symbol.vaddr, content_size));
	image_free(image);
}
END_TEST

START_TEST(functions_are_bounded)
{
	struct image *image = image_open(PLAIN);
	struct image_symbol second;
	uint64_t start, size;

	ck_assert_ptr_nonnull(image);
	ck_assert(image_symbol(image, "second", &second));
	ck_assert(image_function(image, second.vaddr + 40, &start, &size));
	ck_assert_uint_eq(start, second.vaddr);
	ck_assert_uint_eq(size, 41);
	/* Between the two, and behind the last. */
	ck_assert(!image_function(image, second.vaddr - 1, &start, &size));
	ck_assert(!image_function(image, second.vaddr + 41, &start, &size));
	ck_assert(!image_function(image, 0, &start, &size));
	image_free(image);
}
END_TEST

/* Without unwind tables the symbols tell. */
START_TEST(functions_come_from_symbols_else)
{
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)content;
	Elf64_Phdr *phdr = (Elf64_Phdr *)(content + ehdr->e_phoff);
	struct image_symbol second;
	uint64_t start, size;
	struct image *image;
	int i, cleared = 0;

	for (i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_GNU_EH_FRAME) {
			phdr[i].p_type = PT_NULL;
			cleared++;
		}
	ck_assert_int_eq(cleared, 1);
	image = image_from_memory("changed", content, content_size);
	ck_assert_ptr_nonnull(image);
	ck_assert(image_symbol(image, "second", &second));
	ck_assert(image_function(image, second.vaddr + 40, &start, &size));
	ck_assert_uint_eq(start, second.vaddr);
	ck_assert_uint_eq(size, 41);
	ck_assert(!image_function(image, second.vaddr - 1, &start, &size));
	image_free(image);
}
END_TEST

START_TEST(words_of_a_symbol)
{
	struct image *image = image_open(PLAIN);
	uint64_t words[4];

	ck_assert_ptr_nonnull(image);
	ck_assert_uint_eq(image_symbol_words(image, "counter", words, 4), 1);
	ck_assert_uint_eq(image_symbol_words(image, "nothing", words, 4), 0);
	image_free(image);
}
END_TEST

START_TEST(code_is_executable_sections)
{
	struct image *image = image_open(PLAIN);
	struct image_symbol second;
	const struct image_range *code;
	size_t count, i, holding = 0;

	ck_assert_ptr_nonnull(image);
	ck_assert(image_symbol(image, "second", &second));
	code = image_code(image, &count);
	for (i = 0; i < count; i++)
		holding += second.vaddr - code[i].vaddr < code[i].size;
	ck_assert_uint_eq(holding, 1);
	image_free(image);
}
END_TEST

START_TEST(build_id_is_hex)
{
	struct image *image = image_open(PLAIN);

	ck_assert_ptr_nonnull(image);
	ck_assert_uint_eq(strlen(image_build_id(image)), 40);
	ck_assert_uint_eq(strspn(image_build_id(image), "0123456789abcdef"), 40);
	image_free(image);
}
END_TEST

/* --- what is refused ---------------------------------------------------------------- */

static void refused(const char *message)
{
	ck_assert_msg(strstr(last_error, message) != NULL, "it said: %s", last_error);
	ck_assert_uint_eq(errors, 1);
}

START_TEST(missing_file_is_refused)
{
	ck_assert_ptr_null(image_open(FIXTURES "/no-such-file"));
	refused("cannot open");
}
END_TEST

START_TEST(folder_is_refused)
{
	ck_assert_ptr_null(image_open(FIXTURES));
	refused("no regular file");
}
END_TEST

START_TEST(text_is_refused)
{
	static const char text[] = "#!/bin/sh\nexec postgres \"$@\"\n# and more than a header's length of it\n";

	ck_assert_ptr_null(image_from_memory("script", text, sizeof(text)));
	refused("script is not an ELF file");
}
END_TEST

START_TEST(nothing_is_refused)
{
	ck_assert_ptr_null(image_from_memory("empty", "", 0));
	refused("is not an ELF file");
}
END_TEST

START_TEST(other_class_is_refused)
{
	static const struct {
		size_t offset;
		char byte;
		const char *message;
	} rows[] = {
		{ EI_CLASS, ELFCLASS32, "32-bit" },
		{ offsetof(Elf64_Ehdr, e_machine), (char)EM_AARCH64, "another machine" },
		{ offsetof(Elf64_Ehdr, e_type), ET_REL, "neither an executable" },
		{ offsetof(Elf64_Ehdr, e_phnum), 0, "program headers" },
	};

	content[rows[_i].offset] = rows[_i].byte;
	ck_assert_ptr_null(image_from_memory("changed", content, content_size));
	refused(rows[_i].message);
}
END_TEST

/* --- damage --------------------------------------------------------------------------- */

static char *server_fixture;
static size_t server_fixture_size;

static void damage_setup(void)
{
	FILE *file = fopen(FIXTURES "/site_server.fixture", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	server_fixture_size = (size_t)ftell(file);
	rewind(file);
	server_fixture = malloc(server_fixture_size);
	ck_assert_uint_eq(fread(server_fixture, 1, server_fixture_size, file), server_fixture_size);
	fclose(file);
	log_set_hook(remember, NULL);
}

static void damage_teardown(void)
{
	log_set_hook(NULL, NULL);
	free(server_fixture);
}

/* Everything that can be asked of an image.  Returns whether it opened. */
static bool use(const void *bytes, size_t size)
{
	struct image *image;
	struct site_list list;
	struct image_symbol symbol;
	uint64_t words[2], start, length;

	image = image_from_memory("damaged", bytes, size);
	if (!image)
		return false;
	image_symbol(image, "plain_start", &symbol);
	image_symbol_at(image, image_base(image), &symbol);
	image_symbol_words(image, "my_wait_event_info", words, 2);
	image_function(image, image_base(image) + 4096, &start, &length);
	if (!site_find(image, &list))
		site_list_release(&list);
	image_free(image);
	return true;
}

START_TEST(cut_at_every_length)
{
	size_t size, opened = 0;
	void *guarded;

	for (size = 0; size < server_fixture_size; size++) {
		errors = 0;
		guarded = guard_copy(server_fixture, size);
		if (use(guarded, size))
			opened++;
		else
			ck_assert_uint_eq(errors, 1);
		guard_free(guarded, size);
	}
	/* Cut behind what is loaded, it is still readable; before that, never. */
	ck_assert_uint_gt(opened, 0);
	ck_assert_uint_lt(opened, server_fixture_size - 64);
}
END_TEST

/* Every byte of the file, in turn, with three other values. */
START_TEST(every_byte_changed)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	char *guarded = guard_copy(server_fixture, server_fixture_size);
	size_t i, opened = 0, tried = 0;

	/* Three parts, so that each stays short with sanitizers. */
	for (i = (size_t)_i; i < server_fixture_size; i += 3) {
		guarded[i] ^= (char)masks[i / 3 % 3];
		opened += use(guarded, server_fixture_size);
		tried++;
		guarded[i] = server_fixture[i];
	}
	ck_assert_uint_gt(opened, 0);
	ck_assert_uint_lt(opened, tried);
	guard_free(guarded, server_fixture_size);
}
END_TEST

static Suite *elf_suite(void)
{
	Suite *suite = suite_create("elf");
	TCase *tc = tcase_create("image");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, symbols_are_found);
	tcase_add_test(tc, addresses_become_offsets);
	tcase_add_test(tc, functions_are_bounded);
	tcase_add_test(tc, functions_come_from_symbols_else);
	tcase_add_test(tc, words_of_a_symbol);
	tcase_add_test(tc, code_is_executable_sections);
	tcase_add_test(tc, build_id_is_hex);
	tcase_add_test(tc, missing_file_is_refused);
	tcase_add_test(tc, folder_is_refused);
	tcase_add_test(tc, text_is_refused);
	tcase_add_test(tc, nothing_is_refused);
	tcase_add_loop_test(tc, other_class_is_refused, 0, 4);
	suite_add_tcase(suite, tc);
	tc = tcase_create("damage");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, damage_setup, damage_teardown);
	tcase_add_test(tc, cut_at_every_length);
	tcase_add_loop_test(tc, every_byte_changed, 0, 3);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(elf_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
