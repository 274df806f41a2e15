/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auto - resources that free themselves at the end of their scope.
 *
 * `AUTO(fd) int fd = -1;` closes, `AUTO(free) char *p = NULL;` frees.  Always
 * initialise at the declaration.  A type T joins by defining `T_auto(T *)`.
 * take_fd() and take_ptr() hand ownership on.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define AUTO(name) __attribute__((cleanup(name##_auto)))

static inline void free_auto(void *p)
{
	free(*(void **)p);
}

static inline void fd_auto(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define take_ptr(p)                              \
	({                                       \
		__typeof__(p) take_value_ = (p); \
		(p) = NULL;                      \
		take_value_;                     \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
