/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

#include "base/banned.h"

struct hash_aside {
	struct hasher hasher;
	unsigned added; /* pieces */
	bool threaded, stop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const void *data; /* borrowed: handed over, and not hashed yet; else NULL */
	size_t len;
};

struct hash_aside *hash_aside_new(void)
{
	struct hash_aside *h = mem_new(struct hash_aside);

	hasher_init(&h->hasher);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	return h;
}

static void *work(void *data)
{
	struct hash_aside *h = data;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (!h->data && !h->stop)
			pthread_cond_wait(&h->changed, &h->lock);
		if (!h->data)
			break;
		pthread_mutex_unlock(&h->lock);
		hasher_add(&h->hasher, h->data, h->len);
		pthread_mutex_lock(&h->lock);
		h->data = NULL;
		pthread_cond_signal(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* One that would only take turns with this one is of no use. */
static bool has_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

void hash_aside_add(struct hash_aside *h, const void *data, size_t len)
{
	/* a single piece is not worth a thread */
	if (++h->added == 2 && has_processors())
		h->threaded = pthread_create(&h->thread, NULL, work, h) == 0;
	if (!h->threaded) {
		hasher_add(&h->hasher, data, len);
		return;
	}
	pthread_mutex_lock(&h->lock);
	while (h->data)
		pthread_cond_wait(&h->changed, &h->lock);
	h->data = data;
	h->len = len;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void finish(struct hash_aside *h)
{
	if (!h->threaded)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	h->threaded = false;
}

void hash_aside_end(struct hash_aside *h, struct digest *out)
{
	finish(h);
	hasher_end(&h->hasher, out);
}

void hash_aside_free(struct hash_aside *h)
{
	if (!h)
		return;
	finish(h);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
