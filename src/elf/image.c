/* SPDX-License-Identifier: PostgreSQL */
/*
 * Opening an ELF file.  libelf finds the header, program headers and sections; whatever
 * these point to is looked up here, against the file's size, so that no offset of the
 * file is followed unchecked.
 */
#include "elf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/xmalloc.h"

const uint8_t *image_file_bytes(const struct image *image, uint64_t offset, uint64_t size)
{
	if (offset > image->size || size > image->size - offset)
		return NULL;
	return image->bytes + offset;
}

/* --- the header ---------------------------------------------------------------- */

static const char *header_complaint(const GElf_Ehdr *ehdr)
{
	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64)
		return "is a 32-bit ELF file; a 64-bit x86-64 server is needed";
	if (ehdr->e_ident[EI_DATA] != ELFDATA2LSB || ehdr->e_machine != EM_X86_64)
		return "is for another machine; only x86-64 code can be read";
	if (ehdr->e_type != ET_EXEC && ehdr->e_type != ET_DYN)
		return "is neither an executable nor a shared object";
	return NULL;
}

static const char *read_header(struct image *image, Elf *elf)
{
	const char *complaint;
	GElf_Ehdr ehdr;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &ehdr))
		return "is not an ELF file; name the server's own program file";
	complaint = header_complaint(&ehdr);
	image->pie = ehdr.e_type == ET_DYN;
	return complaint;
}

/* --- segments ------------------------------------------------------------------ */

static void add_segment(struct image *image, const GElf_Phdr *phdr)
{
	struct segment *s = &image->segments[image->segment_count];
	uint64_t end;

	if (!image_file_bytes(image, phdr->p_offset, phdr->p_filesz) || !phdr->p_filesz ||
	    __builtin_add_overflow(phdr->p_vaddr, phdr->p_filesz, &end))
		return;
	s->vaddr = phdr->p_vaddr;
	s->offset = phdr->p_offset;
	s->size = phdr->p_filesz;
	s->executable = phdr->p_flags & PF_X;
	image->segment_count++;
}

/* A note: name size, descriptor size, type, then both, padded to 4 bytes. */
static void read_notes(struct image *image, const GElf_Phdr *phdr)
{
	const uint8_t *bytes = image_file_bytes(image, phdr->p_offset, phdr->p_filesz);
	struct bytes b;
	size_t i;

	if (!bytes || image->build_id[0])
		return;
	b = bytes_of(bytes, phdr->p_filesz);
	while (!b.bad && bytes_left(&b) >= sizeof(Elf64_Nhdr)) {
		const uint8_t *name, *id;
		Elf64_Nhdr note;

		bytes_get(&b, &note, sizeof(note));
		name = bytes_take(&b, ((size_t)note.n_namesz + 3) & ~(size_t)3);
		id = bytes_take(&b, ((size_t)note.n_descsz + 3) & ~(size_t)3);
		if (b.bad || note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(name, "GNU", 4) || note.n_descsz > BUILD_ID_MAX)
			continue;
		for (i = 0; i < note.n_descsz; i++)
			sprintf(image->build_id + 2 * i, "%02x", id[i]);
		return;
	}
}

static const char *read_segments(struct image *image, Elf *elf)
{
	size_t count, i;
	GElf_Phdr phdr;

	if (elf_getphdrnum(elf, &count) || !count || count > image->size / sizeof(Elf64_Phdr))
		return "has no readable program headers: it is truncated or damaged";
	image->segments = xcalloc(count, sizeof(*image->segments));
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr))
			return "has no readable program headers: it is truncated or damaged";
		if (phdr.p_type == PT_LOAD)
			add_segment(image, &phdr);
		else if (phdr.p_type == PT_NOTE)
			read_notes(image, &phdr);
		else if (phdr.p_type == PT_GNU_EH_FRAME) {
			image->eh_frame_hdr = phdr.p_vaddr;
			image->eh_frame_hdr_size = phdr.p_memsz;
		}
	}
	return image->segment_count ? NULL : "has nothing to load: it is truncated or damaged";
}

/* --- sections ------------------------------------------------------------------ */

static void add_symbols(struct image *image, Elf *elf, const GElf_Shdr *shdr, struct table *table)
{
	Elf_Scn *link = elf_getscn(elf, shdr->sh_link);
	GElf_Shdr strings;

	if (table->bytes || !link || !gelf_getshdr(link, &strings) || strings.sh_type != SHT_STRTAB)
		return;
	table->strings = (const char *)image_file_bytes(image, strings.sh_offset, strings.sh_size);
	table->bytes = image_file_bytes(image, shdr->sh_offset, shdr->sh_size);
	if (!table->strings || !table->bytes) {
		memset(table, 0, sizeof(*table));
		return;
	}
	table->strings_size = strings.sh_size;
	table->count = shdr->sh_size / sizeof(Elf64_Sym);
}

static void add_relocations(struct image *image, const GElf_Shdr *shdr)
{
	struct table *t = &image->relocations[image->relocation_count];

	t->bytes = image_file_bytes(image, shdr->sh_offset, shdr->sh_size);
	t->count = shdr->sh_size / sizeof(Elf64_Rela);
	image->relocation_count += t->bytes && t->count;
}

static void add_code(struct image *image, uint64_t vaddr, uint64_t size)
{
	const uint8_t *bytes = image_bytes(image, vaddr, size);

	if (bytes && size)
		image->code[image->code_count++] = (struct image_range){ vaddr, size, bytes };
}

static void read_sections(struct image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	size_t count;

	/* Zero sections are not damage: only the segments matter to the kernel. */
	if (elf_getshdrnum(elf, &count) || count > image->size / sizeof(Elf64_Shdr))
		return;
	image->code = xcalloc(count, sizeof(*image->code));
	image->relocations = xcalloc(count, sizeof(*image->relocations));
	while ((section = elf_nextscn(elf, section)) && gelf_getshdr(section, &shdr)) {
		if (shdr.sh_type == SHT_DYNSYM)
			add_symbols(image, elf, &shdr, &image->symbols[TABLE_DYNSYM]);
		else if (shdr.sh_type == SHT_SYMTAB)
			add_symbols(image, elf, &shdr, &image->symbols[TABLE_SYMTAB]);
		else if (shdr.sh_type == SHT_RELA)
			add_relocations(image, &shdr);
		else if (shdr.sh_type == SHT_PROGBITS && (shdr.sh_flags & SHF_EXECINSTR))
			add_code(image, shdr.sh_addr, shdr.sh_size);
	}
}

/* Without section headers, the executable segments are the code. */
static void code_from_segments(struct image *image)
{
	size_t i;

	free(image->code);
	image->code = xcalloc(image->segment_count, sizeof(*image->code));
	for (i = 0; i < image->segment_count; i++)
		if (image->segments[i].executable)
			add_code(image, image->segments[i].vaddr, image->segments[i].size);
}

static int by_vaddr(const void *a, const void *b)
{
	const struct image_range *left = a, *right = b;

	return (left->vaddr > right->vaddr) - (left->vaddr < right->vaddr);
}

/*
 * In address order, without overlaps.  Code longer than the file would be the same bytes over
 * and over: nothing that a linker makes, and hours of reading.
 */
static const char *arrange_code(struct image *image)
{
	uint64_t total = 0;
	size_t i, kept = 0;

	if (!image->code_count)
		code_from_segments(image);
	qsort(image->code, image->code_count, sizeof(*image->code), by_vaddr);
	for (i = 0; i < image->code_count; i++) {
		struct image_range *last = kept ? &image->code[kept - 1] : NULL;

		if (last && image->code[i].vaddr < last->vaddr + last->size)
			continue;
		total += image->code[i].size;
		image->code[kept++] = image->code[i];
	}
	image->code_count = kept;
	return total > image->size ? "loads the same code many times: it is damaged" : NULL;
}

/* --- open and close ------------------------------------------------------------ */

static const char *read_all(struct image *image, Elf *elf)
{
	const char *complaint = read_header(image, elf);

	if (!complaint)
		complaint = read_segments(image, elf);
	if (complaint)
		return complaint;
	read_sections(image, elf);
	complaint = arrange_code(image);
	if (!complaint && !image->eh_frame_hdr)
		image_collect_functions(image);
	return complaint;
}

static struct image *image_read(struct image *image)
{
	const char *complaint = "is not an ELF file; name the server's own program file";
	Elf *elf;

	elf_version(EV_CURRENT);
	/* libelf wants char * but writes only through ELF_C_RDWR. */
	elf = image->size ? elf_memory((char *)(uintptr_t)image->bytes, image->size) : NULL;
	if (elf)
		complaint = read_all(image, elf);
	elf_end(elf);
	if (!complaint)
		return image;
	log_error("%s %s", image->path, complaint);
	image_free(image);
	return NULL;
}

struct image *image_from_memory(const char *name, const void *bytes, size_t size)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->path = xstrdup(name);
	image->bytes = bytes;
	image->size = size;
	return image_read(image);
}

static int map_file(struct image *image, int fd)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st))
		return log_error("cannot read %s: %s", image->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return log_error("%s is %s; name the server's own program file", image->path,
				 S_ISREG(st.st_mode) ? "empty" : "no regular file");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return log_error("cannot map %s: %s", image->path, strerror(errno));
	image->bytes = map;
	image->size = (size_t)st.st_size;
	image->mapped = true;
	return 0;
}

struct image *image_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct image *image;
	int failed;

	if (fd < 0) {
		log_error("cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	image = xcalloc(1, sizeof(*image));
	image->path = xstrdup(path);
	failed = map_file(image, fd);
	close(fd);
	if (!failed)
		return image_read(image);
	image_free(image);
	return NULL;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	if (image->mapped)
		munmap((void *)(uintptr_t)image->bytes, image->size);
	free(image->path);
	free(image->segments);
	free(image->code);
	free(image->relocations);
	free(image->functions);
	free(image);
}

/* --- what others ask ----------------------------------------------------------- */

const char *image_path(const struct image *image)
{
	return image->path;
}

const char *image_build_id(const struct image *image)
{
	return image->build_id;
}

bool image_is_pie(const struct image *image)
{
	return image->pie;
}

uint64_t image_base(const struct image *image)
{
	return image->segments[0].vaddr & ~(uint64_t)4095;
}

const struct image_range *image_code(const struct image *image, size_t *count)
{
	*count = image->code_count;
	return image->code;
}

static const struct segment *segment_of(const struct image *image, uint64_t vaddr)
{
	size_t i;

	for (i = 0; i < image->segment_count; i++)
		if (vaddr - image->segments[i].vaddr < image->segments[i].size)
			return &image->segments[i];
	return NULL;
}

bool image_file_offset(const struct image *image, uint64_t vaddr, uint64_t *offset)
{
	const struct segment *s = segment_of(image, vaddr);

	if (s)
		*offset = s->offset + (vaddr - s->vaddr);
	return s != NULL;
}

const uint8_t *image_bytes(const struct image *image, uint64_t vaddr, uint64_t size)
{
	const struct segment *s = segment_of(image, vaddr);

	if (!s || size > s->size - (vaddr - s->vaddr))
		return NULL;
	return image->bytes + s->offset + (vaddr - s->vaddr);
}
