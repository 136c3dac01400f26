/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/doctor.h"
#include "report/output.h"

/* "650 ns", "13 µs", "unknown" */
static const char *time_of(char buf[32], double ns)
{
	if (ns < 0)
		return "unknown";
	if (ns < 1000)
		snprintf(buf, 32, "%.0f ns", ns);
	else
		snprintf(buf, 32, "%.1f %s", ns / 1000, output__is_utf8() ? "µs" : "us");
	return buf;
}

static void put_feature(FILE *to, const struct doctor_feature *f)
{
	const char *state = !f->known ? "?" : f->there ? "yes" : f->required ? "NO" : "no";

	fprintf(to, "  %-4s %s%s\n", state, f->name, f->used ? ", which is used" : "");
	if (f->detail)
		fprintf(to, "       %s\n", f->detail);
}

static void put_host(FILE *to, const struct doctor_report *r)
{
	unsigned int i;

	fprintf(to, "%s   Linux %s   leaktrace %s\n", r->host, r->kernel, r->version);
	if (r->can_trace)
		fprintf(to, "processes can be traced here, by %s\n\n", r->path);
	else
		fprintf(to, "NOTHING CAN BE TRACED HERE: see what is marked NO\n\n");
	for (i = 0; i < r->n_features; i++)
		put_feature(to, &r->features[i]);
}

static void put_cost(FILE *to, const struct doctor_cost *c)
{
	char a[32], b[32], d[32], e[32];

	fprintf(to,
		"\ncost of a hit, measured now: %s at an emulated instruction, %s at a single-stepped one; its return "
		"%s more\n",
		time_of(a, c->emulated_ns), time_of(b, c->stepped_ns), time_of(d, c->watched_ns));
	fprintf(to, "an allocation and its release, traced: %s", time_of(e, c->pair_ns));
	if (c->pair_note)
		fprintf(to, " (%s)", c->pair_note);
	fputc('\n', to);
}

static void put_function(FILE *to, const struct doctor_function *f)
{
	char cost[32], rate[32] = "?";

	if (f->hits_per_s >= 0)
		snprintf(rate, sizeof(rate), "%.0f", f->hits_per_s);
	fprintf(to, "  %-22s +0x%-3" PRIx64 " %-24s %-10s %10s\n", f->function, f->offset, f->instruction,
		time_of(cost, f->cost_ns), rate);
	fprintf(to, "       %s%s%s\n", f->reason, *f->returns ? "; returns seen " : "", f->returns);
}

static void put_prediction(FILE *to, const struct doctor_process *p)
{
	if (p->count_note) {
		fprintf(to, "calls were not counted: %s\n", p->count_note);
		return;
	}
	fprintf(to, "counted %" PRIu64 " calls in %.0f ms: ", p->counted, p->counted_s * 1000);
	if (p->percent_of_one_cpu < 0)
		fprintf(to, "what tracing would cost is unknown\n");
	else
		fprintf(to, "tracing every block would take %s%.1f %% of one CPU\n",
			p->at_least ? "at least " : "about ", p->percent_of_one_cpu);
}

static void put_process(FILE *to, const struct doctor_process *p)
{
	const char *last = "";
	unsigned int i;

	fprintf(to, "\n%s (pid %d)   %s\n", p->comm, p->pid, p->exe ? p->exe : "?");
	for (i = 0; i < p->n_functions; i++) {
		const struct doctor_function *f = &p->functions[i];

		if (strcmp(f->path, last))
			fprintf(to, "%s (%s%s%s)\n  %-22s %-6s %-24s %-10s %10s\n", f->path, f->family,
				*f->build_id ? ", build id " : "", f->build_id, "function", "at", "instruction", "cost",
				"hits/s");
		last = f->path;
		put_function(to, f);
	}
	for (i = 0; i < p->n_left_out; i++)
		fprintf(to, "not hooked: %s%s%s: %s\n", p->left_out[i].path, p->left_out[i].function ? ": " : "",
			p->left_out[i].function ? p->left_out[i].function : "", p->left_out[i].reason);
	if (p->n_functions)
		put_prediction(to, p);
	else
		fprintf(to, "nothing of it would be hooked\n");
}

int doctor_text__write(FILE *out, const struct doctor_report *r)
{
	__cleanup_free char *buf = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&buf, &len);
	unsigned int i;

	if (!to)
		return -ENOMEM;
	put_host(to, r);
	if (r->can_trace)
		put_cost(to, &r->cost);
	for (i = 0; i < r->n_processes; i++)
		put_process(to, &r->processes[i]);
	if (r->can_trace && !r->n_processes)
		fprintf(to,
			"next: leaktrace doctor -p PID shows what would be probed in a process, and what that costs\n");
	if (fclose(to))
		return -ENOMEM;
	return output__write_lines(out, buf, len, 0);
}
