/* SPDX-License-Identifier: PostgreSQL */
/*
 * Function ranges from the unwind tables, which stripping leaves (LSB Core 5.0, "Exception
 * Frames").  .eh_frame_hdr has a sorted table of (function start, address of its FDE), both
 * signed 32-bit, relative to the header; the FDE has the start again and the length, encoded
 * as its CIE says.  gcc, clang and both linkers write exactly one encoding; with any other
 * the answer is "not known".
 */
#include "elf/internal.h"

#include <string.h>

#include "base/bytes.h"

enum {
	PE_UDATA4 = 0x03,
	PE_PCREL_SDATA4 = 0x1b,
	PE_DATAREL_SDATA4 = 0x3b,
	PE_SIZE_MASK = 0x07,	/* low bits of an encoding: the value's size */
};

struct header {
	uint8_t version;
	uint8_t frame_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t frame;
	uint32_t count;
};

struct entry {
	int32_t start;
	int32_t fde;
};

static struct entry entry_get(const uint8_t *table, size_t i)
{
	struct entry entry;

	memcpy(&entry, table + i * sizeof(entry), sizeof(entry));
	return entry;
}

/* The address of the FDE whose function starts last at or before vaddr; 0: none. */
static uint64_t find_fde(const struct image *image, uint64_t vaddr)
{
	uint64_t base = image->eh_frame_hdr;
	struct header h;
	const uint8_t *bytes = image_bytes(image, base, sizeof(h));
	size_t low = 0, high;

	if (!bytes || image->eh_frame_hdr_size < sizeof(h))
		return 0;
	memcpy(&h, bytes, sizeof(h));
	if (h.version != 1 || h.frame_encoding != PE_PCREL_SDATA4 ||
	    h.count_encoding != PE_UDATA4 || h.table_encoding != PE_DATAREL_SDATA4 ||
	    !image_bytes(image, base, sizeof(h) + (uint64_t)h.count * sizeof(struct entry)))
		return 0;
	high = h.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (base + (int64_t)entry_get(bytes + sizeof(h), middle).start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? base + (int64_t)entry_get(bytes + sizeof(h), low - 1).fde : 0;
}

static void skip_leb128(struct bytes *b)
{
	const uint8_t *byte;

	do
		byte = bytes_take(b, 1);
	while (byte && *byte & 0x80);
}

/* Bytes of a pointer in this encoding (DW_EH_PE_absptr is 8 here); 0: of varying length. */
static size_t encoded_size(uint8_t encoding)
{
	static const uint8_t sizes[] = { 8, 0, 2, 4, 8, 0, 0, 0 };

	return sizes[encoding & PE_SIZE_MASK];
}

/* Walks the augmentation data up to what 'R' says: the encoding of the FDE's addresses. */
static uint8_t augmentation_encoding(struct bytes *b, const char *letters)
{
	for (letters++; *letters; letters++) {
		uint8_t byte = 0;

		if (*letters == 'S' || *letters == 'B')
			continue;
		bytes_get(b, &byte, 1);
		if (*letters == 'R')
			return byte;
		if (*letters == 'P' && encoded_size(byte))
			bytes_take(b, encoded_size(byte));
		else if (*letters != 'L')
			break;
	}
	return 0;
}

/* A CIE: length, id 0, version, letters, code and data alignment, return register, data. */
static bool cie_is_plain(const struct image *image, uint64_t vaddr)
{
	const uint8_t *head = image_bytes(image, vaddr, sizeof(uint32_t));
	uint32_t length, id;
	const char *letters;
	uint8_t version;
	struct bytes b;

	if (!head)
		return false;
	memcpy(&length, head, sizeof(length));
	head = image_bytes(image, vaddr + sizeof(length), length);
	if (!head)
		return false;
	b = bytes_of(head, length);
	bytes_get(&b, &id, sizeof(id));
	bytes_get(&b, &version, sizeof(version));
	letters = (const char *)b.at;
	if (b.bad || id || !memchr(letters, '\0', bytes_left(&b)) || letters[0] != 'z')
		return false;
	bytes_take(&b, strlen(letters) + 1);
	skip_leb128(&b);
	skip_leb128(&b);
	skip_leb128(&b);	/* version 1 has a plain byte, below 0x80 on x86-64 */
	skip_leb128(&b);	/* length of the augmentation data */
	return augmentation_encoding(&b, letters) == PE_PCREL_SDATA4 && !b.bad;
}

struct fde {
	uint32_t length;
	uint32_t cie;		/* back from this field */
	int32_t start;		/* from this field */
	uint32_t size;
};

bool eh_frame_function(const struct image *image, uint64_t vaddr, uint64_t *start, uint64_t *size)
{
	uint64_t at = image->eh_frame_hdr ? find_fde(image, vaddr) : 0;
	const uint8_t *bytes = at ? image_bytes(image, at, sizeof(struct fde)) : NULL;
	struct fde fde;

	if (!bytes)
		return false;
	memcpy(&fde, bytes, sizeof(fde));
	/* Lengths of 0xfffffff0 and more announce the 64-bit form, which nobody writes here. */
	if (fde.length < sizeof(fde) - sizeof(fde.length) || fde.length >= 0xfffffff0 || !fde.cie ||
	    !cie_is_plain(image, at + offsetof(struct fde, cie) - fde.cie))
		return false;
	*start = at + offsetof(struct fde, start) + (int64_t)fde.start;
	*size = fde.size;
	return vaddr - *start < *size && image_bytes(image, *start, *size);
}
