/* SPDX-License-Identifier: GPL-2.0-only */
#include <sys/wait.h>

#include "account/snapshot.h"
#include "report/json_build.h"
#include "report/json_parts.h"
#include "select/module.h"

static json_t *hooked_module(const struct hooked_module *h)
{
	struct jobject o = jobject__new(), functions = jlist__new();
	char build_id[2 * BUILD_ID_MAX + 1];

	for (unsigned int i = 0; i < h->n_functions; i++)
		jlist__add(&functions, jvalue__text(h->functions[i]));
	module__build_id_hex(h->module, build_id, sizeof(build_id));
	jobject__set(&o, "path", jvalue__text(h->module->path));
	jobject__set(&o, "build_id", jvalue__text(*build_id ? build_id : NULL));
	jobject__set(&o, "family", jvalue__text(h->family));
	jobject__set(&o, "functions", jobject__done(&functions));
	return jobject__done(&o);
}

static json_t *hooked(const struct process *p)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < p->n_hooked; i++)
		jlist__add(&list, hooked_module(&p->hooked[i]));
	return jobject__done(&list);
}

static json_t *not_hooked(const struct process *p)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < p->n_not_hooked; i++) {
		struct jobject o = jobject__new();

		jobject__set(&o, "path", jvalue__text(p->not_hooked[i].path));
		jobject__set(&o, "reason", jvalue__text(p->not_hooked[i].reason));
		jlist__add(&list, jobject__done(&o));
	}
	return jobject__done(&list);
}

/* What the memory of the process is made of; nothing measures it yet. */
static json_t *memory(void)
{
	static const char *const parts[] = {"heap", "mappings", "allocator_slack", "stacks", "files", "shared"};
	struct jobject o = jobject__new();

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		jobject__set(&o, parts[i], json_null());
	return jobject__done(&o);
}

static void set_identity(struct jobject *o, const struct process *p)
{
	jobject__set(o, "pid", json_integer(p->pid));
	jobject__set(o, "start_time", jvalue__date(p->start_time));
	jobject__set(o, "comm", jvalue__text(p->comm));
	jobject__set(o, "exe", jvalue__text(p->exe));
	jobject__set(o, "cgroup", jvalue__text(p->cgroup));
	jobject__set(o, "unit", json_null());
	jobject__set(o, "container", json_null());
}

static void set_end(struct jobject *o, const struct process *p)
{
	bool known = p->end == PROCESS_EXITED && p->exit_status >= 0;
	const char *end = p->end == PROCESS_EXITED ? "exit" : p->end == PROCESS_EXECED ? "exec" : NULL;

	jobject__set(o, "ended", jvalue__text(end));
	jobject__set(o, "end_s", jvalue__real(p->end_s));
	jobject__set(o, "exit_status",
		     known && WIFEXITED(p->exit_status) ? json_integer(WEXITSTATUS(p->exit_status)) : json_null());
	jobject__set(o, "exit_signal",
		     known && WIFSIGNALED(p->exit_status) ? json_integer(WTERMSIG(p->exit_status)) : json_null());
}

static void set_verdict(struct jobject *o)
{
	jobject__set(o, "verdict", json_string("unknown"));
	jobject__set(o, "confidence", json_null());
	jobject__set(o, "reasons", json_array());
	jobject__set(o, "wait_s", json_null());
	jobject__set(o, "detectable_bytes_per_s", json_null());
}

static void set_memory(struct jobject *o, const struct process *p)
{
	jobject__set(o, "live_bytes", json_integer(p->live_bytes));
	jobject__set(o, "live_blocks", json_integer(p->live_blocks));
	jobject__set(o, "net_blocks", json_integer((json_int_t)(p->allocs - p->frees)));
	jobject__set(o, "pre_attach_bytes", jvalue__known(p->pre_attach_bytes));
	jobject__set(o, "rss_bytes", jvalue__known(p->rss_bytes));
	jobject__set(o, "memory", memory());
	jobject__set(o, "growth_bytes_per_s", jvalue__real(p->growth_bytes_per_s));
	jobject__set(o, "growth_ci95", json_null());
	jobject__set(o, "limit", json_null());
	jobject__set(o, "allocs", jvalue__u64(p->allocs));
	jobject__set(o, "frees", jvalue__u64(p->frees));
	jobject__set(o, "frees_untracked", jvalue__u64(p->frees_untracked));
	jobject__set(o, "failed_allocs", jvalue__u64(p->failed_allocs));
	jobject__set(o, "vm_children", jvalue__u64(p->vm_children));
}

json_t *json_process__new(const struct process *p)
{
	struct jobject o = jobject__new();

	set_identity(&o, p);
	set_end(&o, p);
	set_verdict(&o);
	set_memory(&o, p);
	jobject__set(&o, "hooked", hooked(p));
	jobject__set(&o, "not_hooked", not_hooked(p));
	return jobject__done(&o);
}
