/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct image - an ELF executable or shared object, read with libelf and checked.
 *
 * The file is untrusted: whatever it claims is compared with its size before it is
 * used.  Addresses are the file's own virtual addresses (no load bias).
 */
#ifndef ELF_IMAGE_H
#define ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;

struct image_symbol {
	const char *name;	/* owned by the image */
	uint64_t vaddr;
	uint64_t size;		/* 0: not given */
	bool is_function;
};

struct image_range {		/* bytes of the file, mapped */
	uint64_t vaddr;
	uint64_t size;
	const uint8_t *bytes;	/* owned by the image */
};

/*
 * Opens path (often "/proc/PID/exe").  Returns NULL after one log_error line that
 * says what is wrong with the file.  Only 64-bit little-endian x86-64 for now.  The file
 * stays mapped: it must not be cut short while the image is open (a running program's cannot be,
 * and package managers replace files, they do not rewrite them).
 */
struct image *image_open(const char *path);
/* The same over size bytes in memory, which must outlive the image; name is for messages. */
struct image *image_from_memory(const char *name, const void *bytes, size_t size);
void image_free(struct image *image);	/* NULL is fine */

const char *image_path(const struct image *image);
/* Lower-case hex, or "" where there is none. */
const char *image_build_id(const struct image *image);
/*
 * The definition of name, of .dynsym, else .symtab; a version suffix does not count.  False:
 * none, or only imported from another object (then image_symbol_words finds its GOT entry).
 */
bool image_symbol(const struct image *image, const char *name, struct image_symbol *out);
/* The function symbol that covers vaddr, for people.  False: none. */
bool image_symbol_at(const struct image *image, uint64_t vaddr, struct image_symbol *out);
/*
 * Addresses of the words that the dynamic linker fills with name's address: GOT entries, or
 * pointers in data.  Fills words[0..max) and returns how many there are (may be more).
 */
size_t image_symbol_words(const struct image *image, const char *name, uint64_t *words, size_t max);
/* Virtual address to offset in the file (what uprobes want).  False: not in a loaded segment. */
bool image_file_offset(const struct image *image, uint64_t vaddr, uint64_t *offset);
/* The bytes of [vaddr, vaddr + size), or NULL where they are not all in the file. */
const uint8_t *image_bytes(const struct image *image, uint64_t vaddr, uint64_t size);
/* The executable sections, in address order; *count of them. */
const struct image_range *image_code(const struct image *image, size_t *count);
/*
 * The function around vaddr, from .eh_frame (which stripping leaves) or from symbols.
 * False: nobody knows.
 */
bool image_function(const struct image *image, uint64_t vaddr, uint64_t *start, uint64_t *size);
/* Of an ET_DYN (PIE): addresses move by the load bias. */
bool image_is_pie(const struct image *image);
/* vaddr of the first PT_LOAD, for the bias: mapped start - this (page aligned). */
uint64_t image_base(const struct image *image);

#endif
