/* SPDX-License-Identifier: GPL-2.0-only */
#include <unistd.h>

#include "base/clock.h"
#include "probe/calibrate.h"

#define BATCHES	 8
#define BATCH_NS 500000ull

double calibrate__time(trial_function *fn)
{
	double best = 0, each;
	int batch, i, n;

	for (batch = 0; batch < BATCHES; batch++) {
		uint64_t start = clock__thread_cpu_ns(), took = 0;

		for (n = 0; took < BATCH_NS; n += 16) {
			for (i = 0; i < 16; i++)
				fn();
			took = clock__thread_cpu_ns() - start;
		}
		each = (double)took / n;
		if (!batch || each < best)
			best = each;
	}
	return best;
}

static int measure(double *ns, enum attach_path path, trial_function *fn, bool watch)
{
	double alone = calibrate__time(fn);
	struct trial t;
	int err = trial__begin(&t, path, watch ? TRIAL_EMPTY : TRIAL_EMPTY_ENTRIES, 0);

	if (!err)
		err = trial__attach(&t, fn, getpid(), false, 0);
	if (!err && watch && path != ATTACH_SESSION)
		err = trial__attach(&t, fn, getpid(), true, 0);
	if (!err)
		*ns = calibrate__time(fn) - alone;
	trial__end(&t);
	return err;
}

int calibrate__run(struct calibration *c, enum attach_path path)
{
	double both;
	int err = measure(&c->emulated, path, trial__emulated, false);

	if (!err)
		err = measure(&c->stepped, path, trial__stepped, false);
	if (!err)
		err = measure(&both, path, trial__emulated, true);
	if (!err)
		c->watched = both > c->emulated ? both - c->emulated : 0;
	return err;
}
