/* kvpuppet.h -- threads that do one thing at a time, when told
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * So that what several threads do happens in an order that the test chooses. What
 * they run must not use the checking macros; see kvtest.h.
 */
#ifndef KVPUPPET_H
#define KVPUPPET_H

#include <pthread.h>
#include <stdbool.h>

struct kvp {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*fn)(void *arg);		/* to do; NULL: nothing */
	void *arg;
	bool ends;
};

/* Begin and end a thread. */
void kvp_begin(struct kvp *p);
void kvp_end(struct kvp *p);

/* Have it run fn(arg), and wait until it has; or in two steps. */
void kvp_do(struct kvp *p, void (*fn)(void *arg), void *arg);
void kvp_tell(struct kvp *p, void (*fn)(void *arg), void *arg);
void kvp_wait(struct kvp *p);

/* Run fn(arg) in a thread that lives for it alone. */
void kvp_once(void (*fn)(void *arg), void *arg);

#endif
