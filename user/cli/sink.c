/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/sink.h"

static int write_error(const struct sink *out, int err, struct err *e)
{
	const char *where = out->options->output ? out->options->output : "stdout";

	if (err == -EPIPE)
		return err__set(e, err, "stopped: whoever read the report has closed the pipe");
	if (err == -ENOSPC)
		return err__set(e, err, "cannot write to %s: no space left; free some, or choose another place with -w",
				where);
	return err__set(e, err, "cannot write to %s: %s; choose another place with -w", where, strerror(-err));
}

int sink__open(struct sink *out, const struct options *o, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->options = o;
	out->file = o->output ? fopen(o->output, "we") : stdout;
	if (!out->file)
		return write_error(out, -errno, e);
	out->opened_ns = clock__mono_ns();
	/* Events scroll: there is no screen to redraw then. */
	out->is_terminal = o->format == FORMAT_TEXT && !o->events && isatty(fileno(out->file));
	return 0;
}

/* One screen without flicker: from the top, each line's rest cleared, what is below cleared; cut to the rows there are.
 */
static int redraw(struct sink *out, const char *text, unsigned int rows)
{
	const char *line = text;
	unsigned int n;

	fputs(out->drawn ? "\033[H" : "\033[2J\033[H", out->file);
	out->drawn = true;
	for (n = 1; *line && n < rows; n++) {
		size_t len = strcspn(line, "\n");

		fwrite(line, 1, len, out->file);
		fputs("\033[K\n", out->file);
		line += len + (line[len] == '\n');
	}
	fputs("\033[J", out->file);
	return fflush(out->file) ? -errno : 0;
}

static int write_screen(struct sink *out, const struct report *r, const struct report_options *o, unsigned int rows)
{
	__cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *mem = open_memstream(&text, &size);
	int err;

	if (!mem)
		return -errno;
	err = report_text__write(mem, r, o);
	if (fclose(mem) && !err)
		err = -ENOMEM;
	return err ? err : redraw(out, text, rows);
}

static int write_text(struct sink *out, const struct report *r, const struct report_options *ro, bool final)
{
	struct report_options o = *ro;
	struct winsize size = {};

	if (!out->is_terminal)
		return report_text__write(out->file, r, &o);
	if (!ioctl(fileno(out->file), TIOCGWINSZ, &size))
		o.columns = size.ws_col;
	if (!final)
		return write_screen(out, r, &o, size.ws_row ? size.ws_row : 24);
	if (out->drawn)
		fputs("\033[H\033[J", out->file);
	return report_text__write(out->file, r, &o);
}

int sink__write(struct sink *out, const struct report *r, bool final, struct err *e)
{
	const struct options *o = out->options;
	struct report_options ro = {
		.top = o->top,
		.min_age_s = (double)o->min_age_ns / 1e9,
		.show_addresses = o->show_addresses,
		.quiet = o->quiet,
	};
	int err;

	if (o->format == FORMAT_JSON)
		err = report_json__write(out->file, r, &ro, o->has_interval);
	else
		err = write_text(out, r, &ro, final);
	return err ? write_error(out, err, e) : 0;
}

int sink__write_doctor(struct sink *out, const struct doctor_report *r, struct err *e)
{
	int err = out->options->format == FORMAT_JSON ? doctor_json__write(out->file, r)
						      : doctor_text__write(out->file, r);

	return err ? write_error(out, err, e) : 0;
}

void sink__event(struct sink *out, const struct collected_event *ev)
{
	static const char marks[] = {[EVENT_BORN] = '+', [EVENT_GONE] = '-', [EVENT_FAILED] = '!'};

	fprintf(out->file, "%12.6f %d/%d %c %s ", (double)(int64_t)(ev->time_ns - out->opened_ns) / NSEC_PER_SEC,
		ev->pid, ev->tid, marks[ev->kind], ev->function ? ev->function : "?");
	if (ev->size_known)
		fprintf(out->file, "%" PRIu64, ev->size);
	else
		fputc('?', out->file);
	if (ev->kind == EVENT_FAILED)
		fputs(" NULL\n", out->file);
	else
		fprintf(out->file, " 0x%" PRIx64 "\n", ev->address);
}

int sink__flush(struct sink *out, struct err *e)
{
	return fflush(out->file) ? write_error(out, -errno, e) : 0;
}

int sink__close(struct sink *out, struct err *e)
{
	int err = 0;

	if (!out->file)
		return 0;
	if (out->file != stdout)
		err = fclose(out->file) ? -errno : 0;
	else if (fflush(stdout))
		err = -errno;
	out->file = NULL;
	return err ? write_error(out, err, e) : 0;
}
