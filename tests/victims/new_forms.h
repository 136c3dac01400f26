/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * new_forms: every form of operator new, each with one of operator delete, as a function that asks and keeps the books.
 * For C++. "throws" counts the calls that an exception left.
 */
#pragma once

extern "C" {
#include "crew.h"
}

#include <atomic>
#include <new>

#define ALIGN std::align_val_t(64)

static std::atomic<long> throws;

/* "by_..." asks, and each block knows which of them it came from. */
struct kept {
	void *p;
	size_t size;
	const char *by;
	void (*give_back)(void *p, size_t size);
};

extern "C" {

#define NEW(name, call, undo)                                                                                          \
	static void name##_undo(void *p, UNUSED size_t size)                                                           \
	{                                                                                                              \
		undo;                                                                                                  \
	}                                                                                                              \
	SITE struct kept name(size_t size)                                                                             \
	{                                                                                                              \
		void *p = nullptr;                                                                                     \
		try {                                                                                                  \
			p = call;                                                                                      \
		} catch (const std::bad_alloc &) {                                                                     \
			throws++;                                                                                      \
		}                                                                                                      \
		return {book__born(#name, p, size), size, #name, name##_undo};                                         \
	}

NEW(by_new, operator new(size), operator delete(p))
NEW(by_new_sized, operator new(size), operator delete(p, size))
NEW(by_new_array, operator new[](size), operator delete[](p))
NEW(by_new_array_sized, operator new[](size), operator delete[](p, size))
NEW(by_new_aligned, operator new(size, ALIGN), operator delete(p, ALIGN))
NEW(by_new_array_aligned, operator new[](size, ALIGN), operator delete[](p, size, ALIGN))
NEW(by_nothrow, operator new(size, std::nothrow), operator delete(p, std::nothrow))
NEW(by_nothrow_array, operator new[](size, std::nothrow), operator delete[](p, std::nothrow))
NEW(by_nothrow_aligned, operator new(size, ALIGN, std::nothrow), operator delete(p, ALIGN, std::nothrow))
NEW(by_nothrow_array_aligned, operator new[](size, ALIGN, std::nothrow), operator delete[](p, ALIGN, std::nothrow))
}

static struct kept (*const forms[])(size_t size) = {
	by_new,
	by_new_sized,
	by_new_array,
	by_new_array_sized,
	by_new_aligned,
	by_new_array_aligned,
	by_nothrow,
	by_nothrow_array,
	by_nothrow_aligned,
	by_nothrow_array_aligned,
};
#define FORMS	  (sizeof(forms) / sizeof(forms[0]))
#define NOTHROW_0 6 /* the first of them that throws nothing */

static void give_back(struct kept *k)
{
	book__dead(k->by, k->size);
	k->give_back(k->p, k->size);
	k->p = nullptr;
}
