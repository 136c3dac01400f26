/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account/losses.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/leave.h"
#include "cli/reporter.h"
#include "cli/session.h"
#include "cli/trace.h"

/* After an exec the new image's allocator is looked for this often. */
#define RESCAN_MS 20

/* The kernel side wakes nobody for an event of -t. */
#define EVENTS_MS 100

enum { FD_RING, FD_SIGNAL, FD_WINDOW, FD_END, N_FDS };

struct trace {
	struct session session;
	struct sink output;
	struct pollfd fds[N_FDS]; /* then one for each target */
	uint64_t window_start_ns;
	uint64_t reports;
	const char *end_reason; /* set: it is time to end */
	bool changed_answer;
};

static int open_timer(uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(first_ns / NSEC_PER_SEC), .tv_nsec = (long)(first_ns % NSEC_PER_SEC)},
		.it_interval = {.tv_sec = (time_t)(period_ns / NSEC_PER_SEC),
				.tv_nsec = (long)(period_ns % NSEC_PER_SEC)},
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && first_ns)
		timerfd_settime(fd, 0, &at, NULL);
	return fd;
}

/* The signals that end a trace are read, not handled: they then arrive between two steps, never inside one. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_fds(struct trace *t, const struct options *o, int signals, struct err *e)
{
	t->fds[FD_RING].fd = collector__fd(t->session.collector);
	t->fds[FD_SIGNAL].fd = signals;
	t->fds[FD_WINDOW].fd = open_timer(o->interval_ns, o->interval_ns);
	t->fds[FD_END].fd = open_timer(o->duration_ns, 0);
	if (signals < 0 || t->fds[FD_WINDOW].fd < 0 || t->fds[FD_END].fd < 0)
		return err__set(e, -errno, "cannot set up timers and signals: %s", strerror(errno));
	t->window_start_ns = clock__mono_ns();
	return 0;
}

static int end_window(struct trace *t, struct err *e)
{
	const struct options *o = t->session.options;
	struct snapshot *snap;
	bool last = o->count && t->reports + 1 >= o->count;

	session__rescan(&t->session);
	if (last)
		collector__freeze(t->session.collector);
	snap = reporter__read(&t->session, true);
	t->window_start_ns = clock__mono_ns();
	if (!snap)
		return err__set(e, -ENOMEM, "out of memory");
	if (!o->has_interval && !t->output.is_terminal)
		return 0;
	if (last)
		t->end_reason = "the number of reports is reached";
	t->changed_answer = losses__change_answer(&snap->losses);
	t->reports++;
	return reporter__write(&t->session, snap, &t->output, t->end_reason, e);
}

/* The report at the end, unless the last periodic one was it. A window that has run for half its time counts. */
static int final_report(struct trace *t, struct err *e)
{
	uint64_t ran = clock__mono_ns() - t->window_start_ns;
	struct snapshot *snap;

	collector__freeze(t->session.collector);
	snap = reporter__read(&t->session, ran >= t->session.options->interval_ns / 2);
	if (!snap)
		return err__set(e, -ENOMEM, "out of memory");
	t->changed_answer = losses__change_answer(&snap->losses);
	return reporter__write(&t->session, snap, &t->output, t->end_reason, e);
}

static void on_signal(struct trace *t)
{
	struct signalfd_siginfo info;

	if (read(t->fds[FD_SIGNAL].fd, &info, sizeof(info)) != sizeof(info))
		return;
	t->end_reason = info.ssi_signo == SIGINT ? "interrupted" : "terminated by a signal";
}

static bool timer_fired(struct trace *t, int which)
{
	uint64_t times;

	return read(t->fds[which].fd, &times, sizeof(times)) == sizeof(times);
}

/* Wait for something to happen; targets' pidfds come after the fixed ones. */
static int wait_for_events(struct trace *t, struct pollfd *fds)
{
	struct targets *targets = &t->session.targets;
	int timeout = t->session.options->events ? EVENTS_MS : -1;
	size_t i;

	if (clock__mono_ns() < t->session.rescan_until_ns)
		timeout = RESCAN_MS;
	memcpy(fds, t->fds, sizeof(t->fds));
	for (i = 0; i < targets->list.n; i++)
		fds[N_FDS + i].fd = targets->list.at[i].pidfd;
	for (i = 0; i < N_FDS + targets->list.n; i++) {
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	return poll(fds, N_FDS + targets->list.n, timeout) < 0 && errno != EINTR ? -errno : 0;
}

static int handle_events(struct trace *t, const struct pollfd *fds, struct err *e)
{
	struct targets *targets = &t->session.targets;
	size_t i;
	int err = 0;

	collector__drain(t->session.collector);
	if (t->session.options->events)
		err = sink__flush(&t->output, e);
	if (err)
		return err;
	if (clock__mono_ns() < t->session.rescan_until_ns)
		session__rescan(&t->session);
	for (i = 0; i < targets->list.n; i++) {
		if (fds[N_FDS + i].revents)
			session__target_ended(&t->session, &targets->list.at[i]);
	}
	if (fds[FD_SIGNAL].revents)
		on_signal(t);
	if (t->end_reason)
		return 0;
	if (fds[FD_WINDOW].revents && timer_fired(t, FD_WINDOW))
		err = end_window(t, e);
	if (err || t->end_reason)
		return err;
	if (fds[FD_END].revents && timer_fired(t, FD_END))
		t->end_reason = "the duration is over";
	else if (!session__any_runs(&t->session))
		t->end_reason = "the target ended";
	return 0;
}

/* The record of a command's end may come before its status does, which is worth a moment's wait. */
static void reap_command(struct session *s)
{
	int status, tries;

	if (!s->launch.pid || s->command_status >= 0 || session__any_runs(s))
		return;
	for (tries = 0; tries < 100; tries++) {
		if (waitpid(s->launch.pid, &status, WNOHANG) == s->launch.pid) {
			s->command_status = status;
			collector__process_ended(s->collector, s->launch.pid, status);
			return;
		}
		usleep(10000);
	}
}

static int run(struct trace *t, struct err *e)
{
	struct pollfd fds[N_FDS + t->session.targets.list.n];
	uint64_t count = t->session.options->count;
	int err = 0;

	while (!err && !t->end_reason) {
		err = wait_for_events(t, fds);
		if (err)
			return err__set(e, err, "cannot wait for events: %s", strerror(-err));
		err = handle_events(t, fds, e);
	}
	if (err || (count && t->reports >= count))
		return err;
	reap_command(&t->session);
	return final_report(t, e);
}

static int exit_status(struct trace *t)
{
	int status = t->session.command_status;

	if (t->changed_answer)
		return EXIT_LOST;
	if (!t->session.launch.pid || status < 0)
		return EXIT_TRACED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int trace__run(const struct options *o)
{
	struct trace t = {};
	struct err e;
	int signals, err, close_err, status = EXIT_FAILED;

	signals = open_signals();
	err = sink__open(&t.output, o, &e);
	if (!err)
		err = session__begin(&t.session, o, &t.output, &e);
	if (!err)
		err = open_fds(&t, o, signals, &e);
	if (!err)
		err = run(&t, &e);
	if (!err)
		status = exit_status(&t);
	if (err)
		log__error("%s", e.text);
	close_err = sink__close(&t.output, &e);
	if (close_err && !err) {
		log__error("%s", e.text);
		status = EXIT_FAILED;
	}
	if (!err)
		leave__wait(&t.session, signals);
	session__end(&t.session);
	return status;
}
