/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <unistd.h>

#include "base/read_at.h"

size_t read_at(int fd, uint64_t offset, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n && offset + done <= INT64_MAX) {
		ssize_t got = pread(fd, (char *)buf + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}
