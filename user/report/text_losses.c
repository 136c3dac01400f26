/* SPDX-License-Identifier: GPL-2.0-only */
#include "account/losses.h"
#include "report/text_parts.h"

static void put_kind(struct text *t, const struct loss_kind *k, uint64_t count)
{
	char figure[FIGURE_MAX];

	if (k->is_bytes)
		figure__bytes(figure, count > INT64_MAX ? INT64_MAX : (int64_t)count);
	else
		snprintf(figure, sizeof(figure), "%llu", (unsigned long long)count);
	fprintf(t->to, "%s: %s: %s\n", k->changes_answer ? "LOST" : "blurred", k->words, figure);
	if (k->remedy)
		fprintf(t->to, "      -> %s\n", k->remedy);
}

/* What changes the answer first: the table has it in that order. */
void text_losses__put(struct text *t)
{
	const struct losses *l = &t->r->snap->losses;

	for (unsigned int i = 0; i < n_loss_kinds; i++) {
		uint64_t count = loss_kind__count(&loss_kinds[i], l);

		if (count)
			put_kind(t, &loss_kinds[i], count);
	}
}
