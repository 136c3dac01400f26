/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * demo_server: a session server with one bug, for `make run` and for whoever wants to see what leaktrace shows.
 *
 * It makes up its requests itself, so it needs no network. Four things in it use memory, one of them wrongly:
 *
 *	requests   a buffer for each, freed at the end of it             churn
 *	profiles   a cache that fills up and then replaces its entries   plateau
 *	audit      events are queued and written out every few seconds   sawtooth
 *	sessions   handle_login() forgets the session of a user whose
 *	           password was wrong: 5 % of all requests               leak, about 100 KiB/s
 *
 * It ends by itself after 10 minutes, or when it has become larger than 512 MiB.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NR_WORKERS	    2
#define REQUESTS_PER_SECOND 5000 /* of one worker */
#define TICKS_PER_SECOND    100
#define RUN_SECONDS	    600
#define MAX_RSS_KIB	    (512 * 1024)

#define NR_USERS	  20000
#define PROFILE_SLOTS	  4096
#define SESSION_SLOTS	  4096
#define AUDIT_SECONDS	  8
#define NSEC_PER_TICK	  (1000000000 / TICKS_PER_SECOND)
#define REQUESTS_PER_TICK (REQUESTS_PER_SECOND / TICKS_PER_SECOND)

enum { STATUS_OK = 200, STATUS_DENIED = 401, STATUS_NO_MEMORY = 503 };

struct session {
	uint64_t id;
	uint32_t user;
	time_t started;
	char token[64];
	char peer[48];
	char csrf[48];
	char agent[];
};

struct profile {
	uint32_t user;
	char name[60];
	char settings[];
};

struct audit_event {
	struct audit_event *next;
	time_t when;
	uint32_t user;
	int status;
	char text[];
};

struct request {
	uint32_t user;
	bool login, password_ok;
	char *agent;
};

/* What one worker owns, so that no lock is needed. */
struct worker {
	pthread_t thread;
	uint64_t random;
	uint64_t next_session;
	struct session *sessions[SESSION_SLOTS];
	struct profile *profiles[PROFILE_SLOTS];
	struct audit_event *audit;
	time_t audit_written;
};

static uint32_t worker_random(struct worker *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 32) % below;
}

static struct session *session_create(struct worker *w, const struct request *rq)
{
	size_t len = strlen(rq->agent) + 1;
	struct session *s = malloc(sizeof(*s) + len);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->id = ++w->next_session;
	s->user = rq->user;
	s->started = time(NULL);
	snprintf(s->token, sizeof(s->token), "%016llx%016llx", (unsigned long long)w->random,
		 (unsigned long long)s->id);
	snprintf(s->peer, sizeof(s->peer), "2001:db8::%x", rq->user);
	memcpy(s->agent, rq->agent, len);
	return s;
}

static void session_destroy(struct session *s)
{
	free(s);
}

/* The table holds the newest sessions; one that is pushed out has expired. */
static void session_table_put(struct worker *w, struct session *s)
{
	struct session **slot = &w->sessions[s->id % SESSION_SLOTS];

	session_destroy(*slot);
	*slot = s;
}

static struct profile *profile_load(uint32_t user)
{
	size_t len = 64 + user % 128;
	struct profile *p = malloc(sizeof(*p) + len);

	if (!p)
		return NULL;
	p->user = user;
	snprintf(p->name, sizeof(p->name), "user-%u", user);
	memset(p->settings, 0, len);
	return p;
}

static struct profile *profile_cache_get(struct worker *w, uint32_t user)
{
	struct profile **slot = &w->profiles[user % PROFILE_SLOTS];

	if (*slot && (*slot)->user == user)
		return *slot;
	free(*slot);
	*slot = profile_load(user);
	return *slot;
}

static void audit_append(struct worker *w, const struct request *rq, int status)
{
	size_t len = 32 + rq->user % 96;
	struct audit_event *e = malloc(sizeof(*e) + len);

	if (!e)
		return;
	e->when = time(NULL);
	e->user = rq->user;
	e->status = status;
	snprintf(e->text, len, "login of user %u: %d", rq->user, status);
	e->next = w->audit;
	w->audit = e;
}

static void audit_write_out(struct worker *w)
{
	time_t now = time(NULL);

	if (now - w->audit_written < AUDIT_SECONDS)
		return;
	w->audit_written = now;
	while (w->audit) {
		struct audit_event *e = w->audit;

		w->audit = e->next;
		free(e);
	}
}

static int handle_login(struct worker *w, const struct request *rq)
{
	struct session *s = session_create(w, rq);

	if (!s)
		return STATUS_NO_MEMORY;
	if (!rq->password_ok)
		return STATUS_DENIED; /* the bug: s is neither stored nor destroyed */
	session_table_put(w, s);
	return STATUS_OK;
}

static int handle_page(struct worker *w, const struct request *rq)
{
	struct profile *p = profile_cache_get(w, rq->user);

	return p ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool request_read(struct worker *w, struct request *rq)
{
	size_t len = 8 + worker_random(w, 56);

	rq->user = worker_random(w, NR_USERS);
	rq->login = worker_random(w, 100) < 20;
	rq->password_ok = worker_random(w, 100) < 75;
	rq->agent = malloc(len);
	if (!rq->agent)
		return false;
	memset(rq->agent, 'x', len - 1);
	rq->agent[len - 1] = '\0';
	return true;
}

static void request_end(struct request *rq)
{
	free(rq->agent);
}

static void handle_request(struct worker *w)
{
	struct request rq;
	int status;

	if (!request_read(w, &rq))
		return;
	if (rq.login) {
		status = handle_login(w, &rq);
		audit_append(w, &rq, status);
	} else {
		status = handle_page(w, &rq);
	}
	if (status == STATUS_NO_MEMORY)
		fprintf(stderr, "demo_server: out of memory\n");
	request_end(&rq);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct timespec tick;

	w->audit_written = time(NULL);
	clock_gettime(CLOCK_MONOTONIC, &tick);
	for (;;) {
		for (int i = 0; i < REQUESTS_PER_TICK; i++)
			handle_request(w);
		audit_write_out(w);
		tick.tv_nsec += NSEC_PER_TICK;
		if (tick.tv_nsec >= 1000000000) {
			tick.tv_nsec -= 1000000000;
			tick.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &tick, NULL);
	}
	return NULL;
}

static bool too_large(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > MAX_RSS_KIB;
}

int main(void)
{
	static struct worker workers[NR_WORKERS];

	printf("demo_server: pid %d; ends by itself after %d minutes\n", getpid(), RUN_SECONDS / 60);
	fflush(stdout);
	for (unsigned int i = 0; i < NR_WORKERS; i++) {
		workers[i].random = 0x9e3779b97f4a7c15u + i;
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i])) {
			fprintf(stderr, "demo_server: cannot start a thread\n");
			return 1;
		}
	}
	for (int second = 0; second < RUN_SECONDS && !too_large(); second++)
		sleep(1);
	return 0;
}
