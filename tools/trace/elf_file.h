/* elf_file.h -- the functions of a program or library file
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_ELF_FILE_H
#define KVT_ELF_FILE_H

#include <stdint.h>

struct kvt_elf;

/* Read a file's symbols, those of its debug file if one is installed. NULL: no
 * ELF file of this machine, or it cannot be read. */
struct kvt_elf *kvt_elf_open(const char *path);

/* End it, and the names that it gave. NULL is fine. */
void kvt_elf_close(struct kvt_elf *elf);

/* Return the address that the file itself gives to the byte at offset. */
uint64_t kvt_elf_address(const struct kvt_elf *elf, uint64_t offset);

/* Return the name of the function that holds an address, and how far into it;
 * NULL: it is in none that is named. */
const char *kvt_elf_function(const struct kvt_elf *elf, uint64_t address,
	uint64_t *into);

#endif
