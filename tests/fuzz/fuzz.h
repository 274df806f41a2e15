/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share: each includes this and defines
 * LLVMFuzzerTestOneInput().  Linked with libFuzzer it fuzzes; built with
 * FUZZ_REPLAY it runs each file of the directories named on the command line.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "dockerfile/dockerfile.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void demand(bool truth)
{
	if (!truth)
		__builtin_trap();
}

#ifdef FUZZ_REPLAY
static int replay(const char *path)
{
	AUTO(dir_list) struct dir_list l = {0};
	AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || dir_list_read(dir, &l, NULL) < 0) {
		perror(path);
		return 1;
	}
	for (size_t k = 0; k < l.n; k++) {
		AUTO(buf) struct buf text = BUF_INIT;

		if (io_read_file(dir, l.items[k].name, 64u << 20, &text, NULL) == 0)
			LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&text), text.len);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int k = 1; k < argc; k++)
		status |= replay(argv[k]);
	return status;
}
#endif
