/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/doctor.h"
#include "cli/options.h"
#include "cli/trace.h"

/*
 * A file opened by us must not become stdin, stdout or stderr because that was closed: messages would end up in it.
 * Open for the wrong direction, so that using one is still an error.
 */
static void fill_standard_fds(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	struct options o;
	int status;

	fill_standard_fds();
	/* Only what is a character, not how numbers look: reports and options are the same everywhere. */
	setlocale(LC_CTYPE, "");
	options__parse(&o, argc, argv);
	log__set_level(o.quiet ? LOG_WARN : o.verbose > 1 ? LOG_DEBUG : o.verbose ? LOG_INFO : LOG_NOTE);
	status = o.doctor ? doctor__run(&o) : trace__run(&o);
	allocator_specs__free(&o.allocators);
	return status;
}
