/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_fixture - a scratch directory, a maker of tars that obeys no rule,
 * and short forms of what the tests of layer/ do all the time.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"
#include "layer/layer.h"

#include "base/banned.h"

/* A new directory under TMPDIR; its path, for shells, goes to @path. */
static inline int scratch_open(char path[64])
{
	int fd;

	snprintf(path, 64, "/tmp/stave-layer-XXXXXX");
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void scratch_close(int fd, const char *path)
{
	assert_int_equal(root_empty(fd, NULL), 0);
	close(fd);
	assert_int_equal(rmdir(path), 0);
}

static inline int make_dir(int at, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(at, name, 0755), 0);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void make_file(int at, const char *name, const char *text)
{
	assert_int_equal(io_write_file(at, name, text, strlen(text), 0644, 0, NULL), 0);
}

static inline void assert_text(int at, const char *name, const char *want)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	if (root_read_file(at, ROOT_INSIDE, name, 1 << 20, &text, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buf_str(&text), want);
}

static inline bool exists(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline struct stat look(int at, const char *name)
{
	struct stat st = {0};

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return st;
}

/* What a header says, as text in its fields; NULL is the usual. */
struct raw_entry {
	const char *name;
	char type; /* 0: '0' */
	const char *link;
	const char *data;
	const char *size; /* the field, as octal text; NULL: of data */
	const char *mode;
	const char *uid;
	const char *mtime;
	const char *major;
	const char *minor;
	bool broken; /* a checksum that is wrong */
};

static inline void raw_field(char *block, size_t at, size_t width, const char *text)
{
	memcpy(block + at, text, strnlen(text, width));
}

static inline void raw_pad(struct buf *tar)
{
	static const char zeros[512];

	if (tar->len % 512)
		buf_add(tar, zeros, 512 - tar->len % 512);
}

static inline void raw_add_bytes(struct buf *tar, const struct raw_entry *e, const char *data,
				 size_t len)
{
	char block[512] = {0}, number[16];
	unsigned sum = 0;

	raw_field(block, 0, 100, e->name);
	raw_field(block, 100, 8, e->mode ? e->mode : "0000644");
	raw_field(block, 108, 8, e->uid ? e->uid : "0000000");
	raw_field(block, 116, 8, e->uid ? e->uid : "0000000");
	snprintf(number, sizeof(number), "%011zo", len);
	raw_field(block, 124, 12, e->size ? e->size : number);
	raw_field(block, 136, 12, e->mtime ? e->mtime : "00000000144");
	memset(block + 148, ' ', 8);
	block[156] = e->type ? e->type : '0';
	if (e->link)
		raw_field(block, 157, 100, e->link);
	memcpy(block + 257,
	       "ustar\0"
	       "00",
	       8);
	raw_field(block, 329, 8, e->major ? e->major : "0000000");
	raw_field(block, 337, 8, e->minor ? e->minor : "0000000");
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)block[i];
	snprintf(number, sizeof(number), "%06o", sum + (e->broken ? 1 : 0));
	memcpy(block + 148, number, 7);
	buf_add(tar, block, 512);
	buf_add(tar, data, len);
	raw_pad(tar);
}

static inline void raw_add(struct buf *tar, const struct raw_entry *e)
{
	raw_add_bytes(tar, e, e->data ? e->data : "", e->data ? strlen(e->data) : 0);
}

#define ENTRY(tar, ...) raw_add((tar), &(struct raw_entry){__VA_ARGS__})

/* A pax header with one record, for the entry that follows. */
static inline void raw_pax(struct buf *tar, const char *key, const char *value)
{
	AUTO(buf) struct buf record = BUF_INIT;
	size_t rest = strlen(key) + strlen(value) + 3, total = rest + 1;
	char number[24];

	while ((size_t)snprintf(number, sizeof(number), "%zu", total) + rest != total)
		total++;
	buf_printf(&record, "%zu %s=%s\n", total, key, value);
	raw_add_bytes(tar, &(struct raw_entry){.name = "pax", .type = 'x'}, record.data,
		      record.len);
}

static inline void raw_end(struct buf *tar)
{
	static const char zeros[1024];

	buf_add(tar, zeros, sizeof(zeros));
}

/* Unpacks the bytes; the descriptor of the archive is a memory file. */
static inline int unpack_bytes(enum layer_unpack_mode mode, const void *data, size_t len,
			       int tree, const char *below, struct layer_unpacked *out,
			       struct error *err)
{
	struct layer_unpack how = {.mode = mode, .tree = tree, .below = below};
	AUTO(fd) int input = -1;

	assert_int_equal(io_memfd("tar", data, len, &input, NULL), 0);
	how.input = input;
	return layer_unpack(&how, out, err);
}

static inline int unpack_tar(enum layer_unpack_mode mode, const struct buf *tar, int tree,
			     struct error *err)
{
	struct layer_unpacked done;

	return unpack_bytes(mode, tar->data, tar->len, tree, "", &done, err);
}

/* The tar must be taken. */
static inline void unpack_ok(enum layer_unpack_mode mode, const struct buf *tar, int tree)
{
	AUTO(error) struct error err = ERROR_INIT;

	if (unpack_tar(mode, tar, tree, &err) < 0)
		fail_msg("%s", err.message);
}
