/* SPDX-License-Identifier: PostgreSQL */
/* Symbols, and the words that relocations fill with a symbol's address. */
#include "elf/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

static Elf64_Sym symbol_get(const struct table *t, size_t i)
{
	Elf64_Sym sym;

	memcpy(&sym, t->bytes + i * sizeof(sym), sizeof(sym));
	return sym;
}

static bool name_is(const struct table *t, const Elf64_Sym *sym, const char *name, size_t length)
{
	const char *text;

	if (sym->st_name >= t->strings_size || length >= t->strings_size - sym->st_name)
		return false;
	text = t->strings + sym->st_name;
	/* .symtab writes a version behind the name: "read@GLIBC_2.2.5". */
	return !memcmp(text, name, length) && (text[length] == '\0' || text[length] == '@');
}

static bool is_function(const Elf64_Sym *sym)
{
	int type = ELF64_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC);
}

/* False where the name does not end inside the string table. */
static bool symbol_fill(const struct table *t, const Elf64_Sym *sym, struct image_symbol *out)
{
	if (sym->st_name >= t->strings_size ||
	    !memchr(t->strings + sym->st_name, '\0', t->strings_size - sym->st_name))
		return false;
	out->name = t->strings + sym->st_name;
	out->vaddr = sym->st_value;
	out->size = sym->st_size;
	out->is_function = is_function(sym);
	return true;
}

bool image_symbol(const struct image *image, const char *name, struct image_symbol *out)
{
	size_t length = strlen(name), which, i;

	for (which = 0; which < TABLE_SYMBOLS; which++) {
		const struct table *t = &image->symbols[which];

		for (i = 0; i < t->count; i++) {
			Elf64_Sym sym = symbol_get(t, i);

			if (sym.st_shndx != SHN_UNDEF && name_is(t, &sym, name, length) &&
			    symbol_fill(t, &sym, out))
				return true;
		}
	}
	return false;
}

bool image_symbol_at(const struct image *image, uint64_t vaddr, struct image_symbol *out)
{
	size_t which, i;

	for (which = 0; which < TABLE_SYMBOLS; which++) {
		const struct table *t = &image->symbols[which];

		for (i = 0; i < t->count; i++) {
			Elf64_Sym sym = symbol_get(t, i);

			if (is_function(&sym) && vaddr - sym.st_value < sym.st_size &&
			    symbol_fill(t, &sym, out))
				return true;
		}
	}
	return false;
}

/* --- relocations --------------------------------------------------------------- */

struct wanted {
	const struct table *dynsym;
	const char *name;
	size_t length;
	uint64_t vaddr;		/* of its definition here, or 0 */
};

/* Whether the relocation writes the address of what is wanted (x86-64 psABI, table 4.9). */
static bool relocation_fits(const struct wanted *w, const Elf64_Rela *rela)
{
	size_t index = ELF64_R_SYM(rela->r_info);
	Elf64_Sym sym;

	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_RELATIVE:
		return w->vaddr && (uint64_t)rela->r_addend == w->vaddr;
	case R_X86_64_GLOB_DAT:
	case R_X86_64_64:
		if (index >= w->dynsym->count || rela->r_addend)
			return false;
		sym = symbol_get(w->dynsym, index);
		return name_is(w->dynsym, &sym, w->name, w->length);
	default:
		return false;
	}
}

size_t image_symbol_words(const struct image *image, const char *name, uint64_t *words, size_t max)
{
	struct wanted w = { &image->symbols[TABLE_DYNSYM], name, strlen(name), 0 };
	struct image_symbol symbol;
	size_t found = 0, i, j;

	if (image_symbol(image, name, &symbol))
		w.vaddr = symbol.vaddr;
	for (i = 0; i < image->relocation_count; i++) {
		const struct table *t = &image->relocations[i];

		for (j = 0; j < t->count; j++) {
			Elf64_Rela rela;

			memcpy(&rela, t->bytes + j * sizeof(rela), sizeof(rela));
			if (!relocation_fits(&w, &rela))
				continue;
			if (found < max)
				words[found] = rela.r_offset;
			found++;
		}
	}
	return found;
}

/* --- functions ----------------------------------------------------------------- */

static int by_vaddr(const void *a, const void *b)
{
	const struct image_range *left = a, *right = b;

	return (left->vaddr > right->vaddr) - (left->vaddr < right->vaddr);
}

void image_collect_functions(struct image *image)
{
	size_t most = 0, which, i;

	for (which = 0; which < TABLE_SYMBOLS; which++)
		most += image->symbols[which].count;
	image->functions = xcalloc(most, sizeof(*image->functions));
	for (which = 0; which < TABLE_SYMBOLS; which++) {
		const struct table *t = &image->symbols[which];

		for (i = 0; i < t->count; i++) {
			Elf64_Sym sym = symbol_get(t, i);

			if (is_function(&sym) && sym.st_size)
				image->functions[image->function_count++] =
					(struct image_range){ sym.st_value, sym.st_size, NULL };
		}
	}
	qsort(image->functions, image->function_count, sizeof(*image->functions), by_vaddr);
}

static bool symbol_function(const struct image *image, uint64_t vaddr, uint64_t *start, uint64_t *size)
{
	size_t low = 0, high = image->function_count;

	while (low < high) {	/* to the last that starts at or before vaddr */
		size_t middle = low + (high - low) / 2;

		if (image->functions[middle].vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || vaddr - image->functions[low - 1].vaddr >= image->functions[low - 1].size)
		return false;
	*start = image->functions[low - 1].vaddr;
	*size = image->functions[low - 1].size;
	return true;
}

bool image_function(const struct image *image, uint64_t vaddr, uint64_t *start, uint64_t *size)
{
	return eh_frame_function(image, vaddr, start, size) ||
	       symbol_function(image, vaddr, start, size);
}
