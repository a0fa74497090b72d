/* kvpuppet.c -- threads that do one thing at a time, when told
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvpuppet.h"

#include <stdlib.h>

static void *
live(void *arg)
{
	struct kvp *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->fn && !p->ends)
			pthread_cond_wait(&p->changed, &p->lock);
		if (!p->fn)
			break;
		pthread_mutex_unlock(&p->lock);
		p->fn(p->arg);
		pthread_mutex_lock(&p->lock);
		p->fn = NULL;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void
kvp_begin(struct kvp *p)
{
	*p = (struct kvp){ .fn = NULL };
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	if (pthread_create(&p->thread, NULL, live, p) != 0)
		abort();
}

void
kvp_end(struct kvp *p)
{
	kvp_wait(p);
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

void
kvp_tell(struct kvp *p, void (*fn)(void *arg), void *arg)
{
	kvp_wait(p);
	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->arg = arg;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void
kvp_wait(struct kvp *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->fn)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void
kvp_do(struct kvp *p, void (*fn)(void *arg), void *arg)
{
	kvp_tell(p, fn, arg);
	kvp_wait(p);
}

void
kvp_once(void (*fn)(void *arg), void *arg)
{
	struct kvp p;

	kvp_begin(&p);
	kvp_do(&p, fn, arg);
	kvp_end(&p);
}
