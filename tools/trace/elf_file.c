/* elf_file.c -- the functions of a program or library file
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Only what is needed to name a code address: the loaded segments, and the
 * symbols that are functions with a size. A stripped file has those that it
 * exports; an address between them gets no name rather than a wrong one. No
 * offset of the file is believed.
 */
#include "config.h"

#include "elf_file.h"
#include "tool.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct function {
	uint64_t start;
	uint64_t size;
	const char *name;
};

struct image {
	const uint8_t *data;
	size_t size;
};

struct kvt_elf {
	struct image image;
	struct image debug;		/* its debug file's, if that is needed */
	const ElfW(Phdr) *segments;
	unsigned nsegments;
	struct function *functions;	/* by start */
	size_t nfunctions;
};

static bool
map_image(struct image *im, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_size >= (off_t)sizeof(ElfW(Ehdr)))
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return false;
	im->data = p;
	im->size = (size_t)st.st_size;
	return true;
}

/* Return n elements at an offset, if they are in the file and aligned. */
static const void *
at(const struct image *im, uint64_t offset, uint64_t n, size_t size)
{
	if (offset > im->size || n > (im->size - offset) / size || offset % 4)
		return NULL;
	return im->data + offset;
}

static const ElfW(Ehdr) *
header_of(const struct image *im)
{
	const ElfW(Ehdr) *h = (const void *)im->data;

	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
		h->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64
			: ELFCLASS32) ||
		h->e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			? ELFDATA2LSB : ELFDATA2MSB))
		return NULL;
	return h;
}

static const ElfW(Shdr) *
section_of(const struct image *im, unsigned index)
{
	const ElfW(Ehdr) *h = header_of(im);
	const ElfW(Shdr) *s = h->e_shentsize == sizeof(*s)
		? at(im, h->e_shoff, h->e_shnum, sizeof(*s)) : NULL;

	return s && index < h->e_shnum ? &s[index] : NULL;
}

static const ElfW(Shdr) *
section_of_type(const struct image *im, ElfW(Word) type)
{
	const ElfW(Shdr) *s;
	unsigned i;

	for (i = 0; (s = section_of(im, i)); i++)
		if (s->sh_type == type)
			return s;
	return NULL;
}

static int
compare_functions(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return y->size < x->size ? -1 : y->size > x->size;
}

static void
read_functions(struct kvt_elf *elf, const struct image *im,
	const ElfW(Shdr) *table)
{
	const ElfW(Shdr) *names = section_of(im, table->sh_link);
	const ElfW(Sym) *symbols;
	const char *text;
	size_t i, n = table->sh_size / sizeof(*symbols);

	symbols = at(im, table->sh_offset, n, sizeof(*symbols));
	text = names ? at(im, names->sh_offset & ~(uint64_t)3, 0, 1) : NULL;
	if (!symbols || !text || names->sh_size == 0 ||
		names->sh_size > im->size - names->sh_offset)
		return;
	text = (const char *)im->data + names->sh_offset;
	if (text[names->sh_size - 1] != '\0')
		return;
	elf->functions = kvt_array(n, sizeof(*elf->functions));
	for (i = 0; i < n; i++) {
		unsigned type = symbols[i].st_info & 15;
		struct function *f = &elf->functions[elf->nfunctions];
		if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
			symbols[i].st_shndx == SHN_UNDEF ||
			symbols[i].st_size == 0 ||
			symbols[i].st_name >= names->sh_size)
			continue;
		f->start = symbols[i].st_value;
		f->size = symbols[i].st_size;
		f->name = text + symbols[i].st_name;
		elf->nfunctions++;
	}
	qsort(elf->functions, elf->nfunctions, sizeof(*elf->functions),
		compare_functions);
}

/* Where distributions put a file's symbols: by its build id. */
static bool
open_debug_file(const struct image *im, struct image *debug)
{
	char path[256] = "/usr/lib/debug/.build-id/";
	size_t used = strlen(path);
	const ElfW(Shdr) *s;
	const uint8_t *note;
	unsigned i, k;

	for (i = 0; (s = section_of(im, i)); i++) {
		if (s->sh_type != SHT_NOTE || s->sh_size < 16 ||
			!(note = at(im, s->sh_offset, s->sh_size, 1)))
			continue;
		/* name size 4, id size, type, "GNU\0", id */
		if (memcmp(note + 12, "GNU", 4) == 0 && note[8] == NT_GNU_BUILD_ID &&
			note[4] >= 2 && note[4] <= 64 &&
			s->sh_size >= 16u + note[4])
			break;
	}
	if (!s)
		return false;
	for (k = 0; k < note[4]; k++)
		used += (size_t)snprintf(path + used, sizeof(path) - used,
			k == 1 ? "/%02x" : "%02x", note[16 + k]);
	snprintf(path + used, sizeof(path) - used, ".debug");
	return map_image(debug, path) && header_of(debug);
}

struct kvt_elf *
kvt_elf_open(const char *path)
{
	struct kvt_elf *elf = kvt_array(1, sizeof(*elf));
	const ElfW(Ehdr) *h;
	const ElfW(Shdr) *table;

	if (!map_image(&elf->image, path) || !(h = header_of(&elf->image))) {
		free(elf);
		return NULL;
	}
	elf->segments = h->e_phentsize == sizeof(*elf->segments)
		? at(&elf->image, h->e_phoff, h->e_phnum, sizeof(*elf->segments))
		: NULL;
	elf->nsegments = elf->segments ? h->e_phnum : 0;
	if ((table = section_of_type(&elf->image, SHT_SYMTAB)))
		read_functions(elf, &elf->image, table);
	else if (open_debug_file(&elf->image, &elf->debug) &&
		(table = section_of_type(&elf->debug, SHT_SYMTAB)))
		read_functions(elf, &elf->debug, table);
	if (elf->nfunctions == 0 &&
		(table = section_of_type(&elf->image, SHT_DYNSYM)))
		read_functions(elf, &elf->image, table);
	return elf;
}

static void
unmap_image(const struct image *im)
{
	if (im->data)
		munmap((void *)(uintptr_t)im->data, im->size);
}

void
kvt_elf_close(struct kvt_elf *elf)
{
	if (!elf)
		return;
	unmap_image(&elf->image);
	unmap_image(&elf->debug);
	free(elf->functions);
	free(elf);
}

uint64_t
kvt_elf_address(const struct kvt_elf *elf, uint64_t offset)
{
	unsigned i;

	for (i = 0; i < elf->nsegments; i++) {
		const ElfW(Phdr) *s = &elf->segments[i];
		if (s->p_type == PT_LOAD && offset - s->p_offset < s->p_filesz)
			return offset - s->p_offset + s->p_vaddr;
	}
	return offset;
}

const char *
kvt_elf_function(const struct kvt_elf *elf, uint64_t address, uint64_t *into)
{
	size_t low = 0, high = elf->nfunctions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (elf->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The last that starts at or before it; a few may lie inside another. */
	for (high = low > 4 ? low - 4 : 0; low > high; low--) {
		const struct function *f = &elf->functions[low - 1];
		*into = address - f->start;
		if (*into < f->size)
			return f->name;
	}
	return NULL;
}
