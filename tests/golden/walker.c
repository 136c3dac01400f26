/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "walker.h"

/* No debug file is looked for: what a tracer has is the unwind information that is loaded, so the answer is too. */
static int no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file,
			const char *link, GElf_Word crc, char **found)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)found;
	return -1;
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debuginfo};

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct walker *w = arg;

	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = w;
	return w->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl, (void)tid;
	*thread_arg = arg;
	return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *value, void *arg)
{
	uint64_t word;

	(void)dwfl;
	if (walker__read(arg, address, &word))
		return false;
	*value = word;
	return true;
}

static bool covers(Dwarf_CFI *cfi, Dwarf_Addr pc)
{
	Dwarf_Frame *frame = NULL;
	bool yes = cfi && !dwarf_cfi_addrframe(cfi, pc, &frame);

	free(frame);
	return yes;
}

/* Is there unwind information for the instruction at pc? Elsewhere libdwfl assumes a frame pointer. */
static bool is_described(struct walker *w, uint64_t pc)
{
	Dwfl_Module *module = dwfl_addrmodule(w->dwfl, pc);
	Dwarf_Addr bias = 0;
	Dwarf_CFI *cfi;

	if (!module)
		return false;
	cfi = dwfl_module_eh_cfi(module, &bias);
	if (covers(cfi, pc - bias))
		return true;
	cfi = dwfl_module_dwarf_cfi(module, &bias);
	return covers(cfi, pc - bias);
}

/*
 * The thread is at the first instruction of a function, with the return address on top of the stack. Where nothing
 * describes the function, the walk begins as if it had returned.
 */
static bool initial_registers(Dwfl_Thread *thread, void *arg)
{
	struct walker *w = arg;
	const struct user_regs_struct *r = w->regs;
	Dwarf_Word regs[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
			     r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};

	w->from_caller = !is_described(w, r->rip) && !walker__read(w, r->rsp, &regs[16]);
	if (w->from_caller)
		regs[7] += sizeof(regs[16]);
	return dwfl_thread_state_registers(thread, 0, sizeof(regs) / sizeof(regs[0]), regs);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = initial_registers,
};

/*
 * An ELF file of this machine, which tells libdwfl how registers are numbered. Left to itself it takes that from one of
 * the modules, and goes on using it after the module was unmapped.
 */
static Elf *machine(struct walker *w)
{
	w->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	w->elf = elf_begin(w->program, ELF_C_READ, NULL);
	return w->elf;
}

int walker__open(struct walker *w, pid_t pid)
{
	char path[64];

	w->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	w->memory = open(path, O_RDONLY | O_CLOEXEC);
	w->dwfl = dwfl_begin(&callbacks);
	if (w->memory < 0 || !w->dwfl)
		return -1;
	walker__refresh(w);
	if (dwfl_attach_state(w->dwfl, machine(w), pid, &thread_callbacks, w))
		return 0;
	fprintf(stderr, "golden: %s\n", dwfl_errmsg(-1));
	return -1;
}

void walker__refresh(struct walker *w)
{
	if (maps__read(&w->maps, w->pid) || w->maps.files == w->known_files)
		return;
	/* Modules that are still there keep what libdwfl has read of them. */
	dwfl_report_begin(w->dwfl);
	if (dwfl_linux_proc_report(w->dwfl, w->pid) || dwfl_report_end(w->dwfl, NULL, NULL))
		fprintf(stderr, "golden: %s\n", dwfl_errmsg(-1));
	w->known_files = w->maps.files;
}

void walker__see(struct walker *w, const struct user_regs_struct *regs)
{
	ssize_t n = pread(w->memory, w->bytes, sizeof(w->bytes), (off_t)regs->rsp);

	w->regs = regs;
	w->window = regs->rsp;
	w->window_n = n > 0 ? (size_t)n : 0;
}

int walker__read(struct walker *w, uint64_t address, uint64_t *value)
{
	uint64_t original;

	if (address - w->window + sizeof(*value) <= w->window_n && address >= w->window)
		memcpy(value, w->bytes + (address - w->window), sizeof(*value));
	else if (pread(w->memory, value, sizeof(*value), (off_t)address) != sizeof(*value))
		return -1;
	if (!w->maps.uprobes || *value != w->maps.uprobes)
		return 0;
	original = slots__get(&w->slots, address);
	if (original)
		*value = original;
	w->trampolines += original != 0;
	w->strange += original == 0;
	return 0;
}

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	struct walker *w = arg;
	const struct exec_map *map;
	Dwarf_Addr pc;
	bool is_activation;

	if (!dwfl_frame_pc(frame, &pc, &is_activation))
		return -1;
	if (w->chain->n == MAX_FRAMES) {
		w->chain->end = CHAIN_CUT;
		return DWARF_CB_ABORT;
	}
	map = maps__find(&w->maps, pc);
	/* libdwfl goes on where a guess has led to no code: V8 keeps other things where return addresses are. */
	if (!map && !maps__find(&w->maps, pc - 1)) {
		w->chain->end = CHAIN_FAILED;
		snprintf(w->error, sizeof(w->error), "a return address that is no code");
		return DWARF_CB_ABORT;
	}
	w->chain->words[w->chain->n++] = (struct word){
		.pc = pc,
		.path = map ? map->path : -1,
		.offset = map && map->path >= 0 ? pc - map->start + map->offset : 0,
	};
	if (w->no_guesses && !is_described(w, pc - !is_activation)) {
		w->chain->end = CHAIN_FAILED;
		snprintf(w->error, sizeof(w->error), "no unwind information");
		return DWARF_CB_ABORT;
	}
	return DWARF_CB_OK;
}

void walker__walk(struct walker *w, pid_t tid, struct chain *c)
{
	int status;

	w->chain = c;
	c->n = 0;
	c->end = CHAIN_WHOLE;
	status = dwfl_getthread_frames(w->dwfl, tid, on_frame, w);
	if (status && c->end == CHAIN_WHOLE) {
		c->end = CHAIN_FAILED;
		snprintf(w->error, sizeof(w->error), "%s", dwfl_errmsg(-1));
	}
	/* The function that was entered is no return address. */
	if (c->n && !w->from_caller)
		memmove(c->words, c->words + 1, --c->n * sizeof(*c->words));
}

struct wanted {
	const char *module, *name;
	uint64_t address, size;
	bool found;
};

static int look_into(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, void *arg)
{
	struct wanted *wanted = arg;
	int n;

	(void)data, (void)base;
	if (!name || !strstr(name, wanted->module))
		return DWARF_CB_OK;
	n = dwfl_module_getsymtab(module);
	for (int i = 0; i < n; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		const char *found = dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);

		if (!found || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value ||
		    strcmp(found, wanted->name))
			continue;
		wanted->address = address;
		wanted->size = symbol.st_size;
		wanted->found = true;
		return DWARF_CB_ABORT;
	}
	return DWARF_CB_OK;
}

int walker__function(struct walker *w, const char *module, const char *name, uint64_t *address, uint64_t *size)
{
	struct wanted wanted = {.module = module, .name = name};

	if (dwfl_getmodules(w->dwfl, look_into, &wanted, 0) < 0 || !wanted.found)
		return -1;
	*address = wanted.address;
	*size = wanted.size;
	return 0;
}

void walker__close(struct walker *w)
{
	if (w->dwfl)
		dwfl_end(w->dwfl);
	elf_end(w->elf);
	if (w->program >= 0)
		close(w->program);
	if (w->memory >= 0)
		close(w->memory);
	slots__free(&w->slots);
	maps__free(&w->maps);
}
