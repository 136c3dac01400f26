/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor: what can be done on a host, and what tracing a process would do to it, as text or JSON. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Figures are negative where they are unknown. */

struct doctor_feature {
	const char *id, *name;
	bool known, there, required, used;
	const char *detail; /* NULL: nothing more to say */
};

struct doctor_cost {
	double emulated_ns, stepped_ns; /* of a hit, with a program that does nothing */
	double watched_ns;		/* of seeing a return */
	double pair_ns;			/* of an allocation and its release, all of it */
	const char *pair_note;		/* why that is unknown; NULL */
};

/* A function that would be probed. */
struct doctor_function {
	const char *function, *family, *path, *build_id;
	uint64_t offset; /* of the probed instruction in the function */
	const char *instruction, *reason, *returns;
	bool emulated;
	double cost_ns;	   /* of its probes, for each call */
	double hits_per_s; /* as counted */
};

/* One that would not, or a file none of whose functions would. */
struct doctor_left_out {
	const char *path, *function /* or NULL */, *reason;
};

struct doctor_process {
	int pid;
	const char *comm, *exe;
	struct doctor_function *functions;
	unsigned int n_functions;
	struct doctor_left_out *left_out;
	unsigned int n_left_out;
	double counted_s;	   /* how long calls were counted */
	uint64_t counted;	   /* calls */
	const char *count_note;	   /* why they were not; NULL */
	double percent_of_one_cpu; /* that tracing every block would cost */
	bool at_least;		   /* of which only the probes are known */
};

struct doctor_report {
	const char *version, *host, *kernel;
	double started; /* seconds since the epoch */
	bool can_trace;
	const char *path; /* how it would attach; NULL: not at all */
	const struct doctor_feature *features;
	unsigned int n_features;
	struct doctor_cost cost;
	const struct doctor_process *processes;
	unsigned int n_processes;
};

/* Both return 0 or a negative errno from the stream, after flushing it. */
int doctor_text__write(FILE *out, const struct doctor_report *r);
int doctor_json__write(FILE *out, const struct doctor_report *r);
