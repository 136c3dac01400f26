/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "select/untrusted_elf.h"
#include "unwind/unwind_sections.h"

bool unwind_sections__eh_frame(int fd, uint64_t *start, uint64_t *end)
{
	Elf *elf = untrusted_elf__begin(fd);
	bool found = false;
	GElf_Shdr sh;

	if (elf && untrusted_elf__section(elf, ".eh_frame", &sh) && (sh.sh_flags & SHF_ALLOC)) {
		*start = sh.sh_addr;
		found = !__builtin_add_overflow(sh.sh_addr, sh.sh_size, end);
	}
	elf_end(elf);
	return found;
}

/* libelf makes room for as much as the compression header says. */
Elf_Data *unwind_sections__decompressed(Elf_Scn *scn, GElf_Shdr *sh, size_t max)
{
	GElf_Chdr chdr;

	if (sh->sh_flags & SHF_COMPRESSED) {
		if (sh->sh_size > max || !gelf_getchdr(scn, &chdr) || chdr.ch_size > max ||
		    elf_compress(scn, 0, 0) < 0 || !gelf_getshdr(scn, sh))
			return NULL;
	}
	return untrusted_elf__data(scn, sh);
}

int unwind_sections__debug_frame(int fd, void **bytes, size_t *n)
{
	Elf *elf = untrusted_elf__begin(fd);
	const Elf_Data *data = NULL;
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	int err = 0;

	*n = 0;
	if (elf)
		scn = untrusted_elf__section(elf, ".debug_frame", &sh);
	if (scn)
		data = unwind_sections__decompressed(scn, &sh, UNWIND_MAX_BYTES);
	if (data) {
		*bytes = malloc(data->d_size);
		if (*bytes) {
			memcpy(*bytes, data->d_buf, data->d_size);
			*n = data->d_size;
		} else {
			err = -ENOMEM;
		}
	}
	elf_end(elf);
	return err;
}
