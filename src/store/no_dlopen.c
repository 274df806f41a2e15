/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite can load extensions, which this program never asks for.  In the
 * static program these take the place of libc's, so that no code can be
 * loaded into a process that holds the store.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "base/banned.h"

#define HERE __attribute__((visibility("default")))

HERE void *dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

HERE void *dlsym(void *restrict handle, const char *restrict name)
{
	(void)handle;
	(void)name;
	return NULL;
}

HERE int dlclose(void *handle)
{
	(void)handle;
	return -1;
}

HERE char *dlerror(void)
{
	static char text[] = "extensions are not loaded here";

	return text;
}
