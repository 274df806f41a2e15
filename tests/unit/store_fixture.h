/* SPDX-License-Identifier: Apache-2.0 */
/* store_fixture - a store of its own for each test, and to be closed and opened again. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store.h"

struct fixture {
	char path[64];
	struct store *s;
};

static inline int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	snprintf(f->path, sizeof(f->path), "/tmp/stave-store-XXXXXX");
	if (!mkdtemp(f->path) || store_open(f->path, NULL, NULL, &f->s, NULL) < 0)
		return -1;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->s);
	root_remove(AT_FDCWD, f->path, NULL);
	free(f);
	return 0;
}

static inline void reopen(struct fixture *f)
{
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(store_open(f->path, NULL, NULL, &f->s, NULL), 0);
}
