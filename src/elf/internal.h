/* SPDX-License-Identifier: PostgreSQL */
/* What the files of src/elf share: the image's parts, each checked when the file was opened. */
#ifndef ELF_INTERNAL_H
#define ELF_INTERNAL_H

#include <elf.h>

#include "elf/image.h"

#define BUILD_ID_MAX 64		/* bytes; SHA-1 has 20 */

struct segment {		/* of PT_LOAD, as much of it as the file has */
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size;
	bool executable;
};

struct table {			/* entries of one size, wholly inside the file */
	const uint8_t *bytes;	/* perhaps unaligned: read with memcpy */
	size_t count;
	const char *strings;	/* of symbol tables */
	size_t strings_size;
};

enum { TABLE_DYNSYM, TABLE_SYMTAB, TABLE_SYMBOLS };

struct image {
	char *path;
	const uint8_t *bytes;
	size_t size;
	bool mapped;		/* bytes are ours to unmap */
	bool pie;
	char build_id[2 * BUILD_ID_MAX + 1];

	struct segment *segments;
	size_t segment_count;
	struct image_range *code;
	size_t code_count;
	struct table symbols[TABLE_SYMBOLS];
	struct table *relocations;	/* SHT_RELA */
	size_t relocation_count;
	uint64_t eh_frame_hdr;		/* vaddr; 0: none */
	uint64_t eh_frame_hdr_size;
	struct image_range *functions;	/* from symbols, by vaddr; only without .eh_frame_hdr */
	size_t function_count;
};

/* The size bytes at offset of the file, or NULL where they are not all there. */
const uint8_t *image_file_bytes(const struct image *image, uint64_t offset, uint64_t size);
/* symbol.c: fills functions. */
void image_collect_functions(struct image *image);
/* eh_frame.c: the FDE around vaddr. */
bool eh_frame_function(const struct image *image, uint64_t vaddr, uint64_t *start, uint64_t *size);

#endif
