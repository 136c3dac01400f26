/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report/output.h"
#include "report/report.h"
#include "report/text_parts.h"

static void put_all(struct text *t)
{
	text_header__put(t);
	text_losses__put(t);
	text_process__put_all(t);
	text_site__put_all(t);
	text_closing__put(t);
}

int report_text__write(FILE *out, const struct report *r, const struct report_options *o)
{
	struct text t = {.r = r, .o = o, .utf8 = output__is_utf8()};
	__cleanup_free char *buf = NULL;
	size_t len = 0;
	int err;

	err = block_index__build(&t.blocks, r, o);
	if (err)
		return err;
	t.to = open_memstream(&buf, &len);
	if (t.to)
		put_all(&t);
	block_index__free(&t.blocks);
	if (!t.to || fclose(t.to))
		return -ENOMEM;
	return output__write_lines(out, buf, len, o->columns);
}
