/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>

#include "probe/exits.h"

#define MAX_PARTS 8
#define MAX_PART  (256u << 10)

/* The function's own code, then its fragments. */
struct part {
	struct code code;
	unsigned char *seen; /* a byte for each of code.bytes: an instruction there was followed */
};

struct search {
	struct exits *exits;
	const struct exits_source *from;
	VEC(struct part) parts;
	VEC(uint64_t) todo; /* targets of jumps */
	struct err *e;
};

static int out_of_memory(struct search *s)
{
	return err__set(s->e, -ENOMEM, "out of memory");
}

static int add_part(struct search *s, const struct code *code)
{
	struct part *p;

	if (!code->n || code->n > MAX_PART || s->parts.n == MAX_PARTS)
		return err__set(s->e, -ENOTSUP, "its code is in too many or too large pieces, or has no known end");
	p = vec__add(&s->parts);
	if (!p)
		return out_of_memory(s);
	p->code = *code;
	p->seen = calloc(1, code->n);
	return p->seen ? 0 : out_of_memory(s);
}

static struct part *find_part(struct search *s, uint64_t vaddr)
{
	struct part *p;

	vec__each (&s->parts, p) {
		if (vaddr >= p->code.vaddr && vaddr - p->code.vaddr < p->code.n)
			return p;
	}
	return NULL;
}

static int remember(struct search *s, struct addresses *to, uint64_t vaddr)
{
	uint64_t *known;

	vec__each (&to->list, known) {
		if (*known == vaddr)
			return 0;
	}
	if (to->list.n == EXITS_MAX)
		return err__set(s->e, -ENOTSUP, "it has more than %d ways out", EXITS_MAX);
	known = vec__add(&to->list);
	if (!known)
		return out_of_memory(s);
	*known = vaddr;
	return 0;
}

/* Something jumps there. */
static int lead_to(struct search *s, uint64_t vaddr)
{
	struct part *p = find_part(s, vaddr);
	struct code fragment;
	uint64_t *todo;
	int err;

	if (!p) {
		if (s->from->is_probed && s->from->is_probed(s->from->ctx, vaddr))
			return remember(s, &s->exits->jumps, vaddr);
		fragment = s->from->fragment(s->from->ctx, vaddr);
		if (!fragment.n)
			return err__set(s->e, -ENOTSUP, "it ends in a jump to other code, at 0x%" PRIx64, vaddr);
		err = add_part(s, &fragment);
		if (err)
			return err;
		p = find_part(s, vaddr);
	}
	if (!p || p->seen[vaddr - p->code.vaddr])
		return 0;
	todo = vec__add(&s->todo);
	if (!todo)
		return out_of_memory(s);
	*todo = vaddr;
	return 0;
}

/* Where an instruction leads, besides to the next. 1: not to that. */
static int take_insn(struct search *s, const struct insn *i, uint64_t vaddr)
{
	uint64_t target;
	int err;

	if (s->from->ends_at && s->from->ends_at(s->from->ctx, i))
		return 1;
	switch (i->flow) {
	case INSN_NEXT:
	case INSN_CALL:
		return 0;
	case INSN_BRANCH:
		return lead_to(s, i->target);
	case INSN_JUMP:
		err = lead_to(s, i->target);
		return err ? err : 1;
	case INSN_RETURN:
		err = remember(s, &s->exits->rets, vaddr);
		return err ? err : 1;
	case INSN_END:
		return 1;
	case INSN_JUMP_POINTER:
		target = i->pointer && s->from->pointer ? s->from->pointer(s->from->ctx, i->pointer) : 0;
		if (target) {
			err = lead_to(s, target);
			return err ? err : 1;
		}
		/* fall through */
	default:
		return err__set(s->e, -ENOTSUP, "it ends in a jump by a pointer, at 0x%" PRIx64, vaddr);
	}
}

static int follow(struct search *s, uint64_t vaddr)
{
	struct part p = *find_part(s, vaddr);
	size_t at = vaddr - p.code.vaddr;
	bool after_call = false;
	struct insn i;
	int ret;

	for (; at < p.code.n && !p.seen[at]; at += i.length) {
		p.seen[at] = 1;
		if (!code__decode(&i, &p.code, at))
			return err__set(s->e, -ENOTSUP, "its code at 0x%" PRIx64 " cannot be decoded",
					p.code.vaddr + at);
		ret = take_insn(s, &i, p.code.vaddr + at);
		if (ret)
			return ret < 0 ? ret : 0;
		after_call = i.flow == INSN_CALL || (after_call && i.is_nop);
	}
	/* Behind the call of a function that does not return there may be nothing, or padding. */
	if (at < p.code.n || after_call)
		return 0;
	return err__set(s->e, -ENOTSUP, "it runs on behind its end");
}

int exits__find(struct exits *x, const struct code *code, const struct exits_source *from, struct err *e)
{
	struct search s = {.exits = x, .from = from, .e = e};
	struct part *p;
	int err;

	memset(x, 0, sizeof(*x));
	err = add_part(&s, code);
	if (!err)
		err = follow(&s, code->vaddr);
	while (!err && s.todo.n)
		err = follow(&s, s.todo.at[--s.todo.n]);
	vec__each (&s.parts, p)
		free(p->seen);
	vec__free(&s.parts);
	vec__free(&s.todo);
	return err;
}

void exits__free(struct exits *x)
{
	vec__free(&x->rets.list);
	vec__free(&x->jumps.list);
}
