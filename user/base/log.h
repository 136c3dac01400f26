/* SPDX-License-Identifier: GPL-2.0-only */
/* log: everything that is not a result goes to stderr, one line a message, "leaktrace: " in front, terminal-safe. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTE, LOG_INFO, LOG_DEBUG };

/* Messages above this level are dropped. Default LOG_NOTE; -q sets LOG_WARN, -v LOG_INFO, -vv LOG_DEBUG. */
void log__set_level(enum log_level level);
enum log_level log__level(void);

void log__at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log__error(...) log__at(LOG_ERROR, __VA_ARGS__)
#define log__warn(...)	log__at(LOG_WARN, __VA_ARGS__)
#define log__note(...)	log__at(LOG_NOTE, __VA_ARGS__)
#define log__info(...)	log__at(LOG_INFO, __VA_ARGS__)
#define log__debug(...) log__at(LOG_DEBUG, __VA_ARGS__)
