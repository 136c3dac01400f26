/* SPDX-License-Identifier: GPL-2.0-only */
#include <locale.h>

#include "base/log.h"
#include "cli/options.h"
#include "cli/trace.h"

int main(int argc, char **argv)
{
	struct options o;

	/* Only what is a character, not how numbers look: reports and options are the same everywhere. */
	setlocale(LC_CTYPE, "");
	options__parse(&o, argc, argv);
	log__set_level(o.quiet ? LOG_WARN : o.verbose > 1 ? LOG_DEBUG : o.verbose ? LOG_INFO : LOG_NOTE);
	return trace__run(&o);
}
