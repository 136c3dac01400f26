/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * victim: the protocol that every victim speaks, and the books it keeps of what it asked for.
 *
 *	READY pid=N	it waits for a byte on stdin; nothing it allocated so far counts
 *	TRUTH {...}	the work is done and this is outstanding; it waits for a second byte and allocates nothing
 *
 * With --now it waits for neither; --exit=N is its exit status. When stdin closes early it ends, so that none is left
 * behind. Nothing in here calls malloc: books are static, output goes to write(2).
 *
 * Books count requested sizes. A realloc that succeeds is one allocation and one free; of NULL only the first, to size
 *0 with a NULL result only the second. A call without a result is a failed allocation and nothing else.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOK_SITES 48
#define BOOK_NOTES 16
#define UNUSED	   __attribute__((unused))
#define SITE	   __attribute__((noinline))

struct book_site {
	const char *function;
	long long bytes, blocks;
};

struct book_note {
	const char *name;
	long long value;
};

static struct {
	long long bytes, blocks;
	unsigned long long allocs, frees, failed;
	struct book_site sites[BOOK_SITES];
	struct book_note notes[BOOK_NOTES];
	int n_sites, n_notes, lock;
	bool now;
	int exit_status;
} book;

/* A spin lock: pthread's would do, but this cannot even be suspected of allocating. */
static void book__lock(void)
{
	while (__atomic_exchange_n(&book.lock, 1, __ATOMIC_ACQUIRE))
		usleep(0);
}

static void book__unlock(void)
{
	__atomic_store_n(&book.lock, 0, __ATOMIC_RELEASE);
}

/* Call with the lock held. */
static struct book_site *book__site(const char *function)
{
	int i;

	for (i = 0; i < book.n_sites; i++)
		if (!strcmp(book.sites[i].function, function))
			return &book.sites[i];
	if (book.n_sites == BOOK_SITES)
		abort();
	book.sites[book.n_sites].function = function;
	return &book.sites[book.n_sites++];
}

static void book__change(const char *function, long long bytes, int blocks)
{
	struct book_site *s = book__site(function);

	s->bytes += bytes;
	s->blocks += blocks;
	book.bytes += bytes;
	book.blocks += blocks;
}

/* `function`, the caller of the allocator, asked for size bytes and got p. Returns p. */
static UNUSED void *book__born(const char *function, void *p, size_t size)
{
	book__lock();
	if (p) {
		book.allocs++;
		book__change(function, (long long)size, 1);
	} else {
		book.failed++;
	}
	book__unlock();
	return p;
}

/* The block that `function` once asked for is about to be freed. */
static UNUSED void book__dead(const char *function, size_t size)
{
	book__lock();
	book.frees++;
	book__change(function, -(long long)size, -1);
	book__unlock();
}

/* A block from before "go" is about to be freed. */
static UNUSED void book__dead_old(void)
{
	book__lock();
	book.frees++;
	book__unlock();
}

/* One more number in the truth. */
static UNUSED void book__note(const char *name, long long value)
{
	int i;

	for (i = 0; i < book.n_notes && strcmp(book.notes[i].name, name); i++)
		;
	if (i == BOOK_NOTES)
		abort();
	book.notes[i].name = name;
	book.notes[i].value = value;
	if (i == book.n_notes)
		book.n_notes++;
}

static UNUSED void victim__say(const char *text)
{
	size_t len = strlen(text);

	if (write(1, text, len) != (ssize_t)len)
		_exit(98);
}

/* The next byte of stdin. The one who drives this victim may be gone: then there is nothing left to do. */
static UNUSED void victim__wait(void)
{
	char c;

	if (book.now)
		return;
	if (read(0, &c, 1) != 1)
		_exit(99);
}

static UNUSED void victim__options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--now"))
			book.now = true;
		if (!strncmp(argv[i], "--exit=", 7))
			book.exit_status = atoi(argv[i] + 7);
	}
}

/* The n-th argument (from 1) that is no option, as a number. */
static UNUSED long victim__arg(int argc, char **argv, int n, long fallback)
{
	int i;

	for (i = 1; i < argc; i++)
		if (argv[i][0] != '-' && !--n)
			return atol(argv[i]);
	return fallback;
}

/* Everything before this call, all in it included, is not counted. Call it when threads and buffers are set up. */
static UNUSED void victim__ready(int argc, char **argv)
{
	char line[64];

	victim__options(argc, argv);
	snprintf(line, sizeof(line), "READY pid=%d\n", (int)getpid());
	victim__say(line);
	victim__wait();
}

static void truth__add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char truth_line[16384];

static void truth__add(const char *fmt, ...)
{
	size_t used = strlen(truth_line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(truth_line + used, sizeof(truth_line) - used, fmt, ap);
	va_end(ap);
}

/* Print the truth, hold still until told, and return the exit status for main(). */
static UNUSED int victim__truth(void)
{
	const char *comma = "";
	int i;

	truth__add("TRUTH {\"live_bytes\":%lld,\"live_blocks\":%lld,\"allocs\":%llu,\"frees\":%llu,\"failed\":%llu",
		   book.bytes, book.blocks, book.allocs, book.frees, book.failed);
	for (i = 0; i < book.n_notes; i++)
		truth__add(",\"%s\":%lld", book.notes[i].name, book.notes[i].value);
	truth__add(",\"sites\":{");
	for (i = 0; i < book.n_sites; i++) {
		struct book_site *s = &book.sites[i];

		truth__add("%s\"%s\":{\"bytes\":%lld,\"blocks\":%lld}", comma, s->function, s->bytes, s->blocks);
		comma = ",";
	}
	truth__add("}}\n");
	victim__say(truth_line);
	victim__wait();
	return book.exit_status;
}
