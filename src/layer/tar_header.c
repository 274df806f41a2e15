/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar", NUL, "00" */
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char unused[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

#define MAX_7_DIGITS  07777777ull
#define MAX_11_DIGITS 077777777777ull

static void put_octal(char *field, size_t width, uint64_t v)
{
	field[width - 1] = 0;
	for (size_t i = width - 1; i--; v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

static unsigned sum_of(const unsigned char *block)
{
	unsigned sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool in_sum = i - offsetof(struct ustar, checksum) < 8;

		sum += in_sum ? ' ' : block[i];
	}
	return sum;
}

static void put_block(struct buf *out, struct ustar *h, char type)
{
	h->type = type;
	memcpy(h->magic,
	       "ustar\0"
	       "00",
	       8);
	put_octal(h->checksum, 7, sum_of((const unsigned char *)h));
	h->checksum[7] = ' ';
	buf_add(out, h, sizeof(*h));
}

static size_t decimal_width(size_t v)
{
	size_t n = 1;

	while (v /= 10)
		n++;
	return n;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void put_record(struct buf *pax, const char *key, const void *value, size_t len)
{
	size_t rest = 1 + strlen(key) + 1 + len + 1;
	size_t total = rest + decimal_width(rest);

	if (rest + decimal_width(total) != total)
		total = rest + decimal_width(total);
	buf_printf(pax, "%zu %s=", total, key);
	buf_add(pax, value, len);
	buf_addch(pax, '\n');
}

static void put_number(struct buf *pax, const char *key, char *field, size_t width, int64_t v)
{
	char text[24];
	uint64_t max = width == 8 ? MAX_7_DIGITS : MAX_11_DIGITS;

	if (v >= 0 && (uint64_t)v <= max) {
		put_octal(field, width, (uint64_t)v);
		return;
	}
	put_octal(field, width, 0);
	snprintf(text, sizeof(text), "%" PRId64, v);
	put_record(pax, key, text, strlen(text));
}

/* Leftmost slash that leaves a rest short enough for the name field. */
static void put_path(struct buf *pax, struct ustar *h, const char *path, size_t len)
{
	size_t cut;

	if (len <= sizeof(h->name)) {
		memcpy(h->name, path, len);
		return;
	}
	for (cut = len - sizeof(h->name) - 1; cut < len - 1 && path[cut] != '/';)
		cut++;
	if (cut && cut < len - 1 && cut <= sizeof(h->prefix)) {
		memcpy(h->prefix, path, cut);
		memcpy(h->name, path + cut + 1, len - cut - 1);
		return;
	}
	memcpy(h->name, path, sizeof(h->name));
	put_record(pax, "path", path, len);
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp((*(const struct layer_xattr *const *)a)->name,
		      (*(const struct layer_xattr *const *)b)->name);
}

static void put_xattrs(struct buf *pax, const struct layer_entry *e)
{
	AUTO(free) const struct layer_xattr **sorted = NULL;
	AUTO(buf) struct buf key = BUF_INIT;
	size_t n = 0;

	sorted = mem_alloc(e->nxattrs * sizeof(const struct layer_xattr *));
	for (size_t i = 0; i < e->nxattrs; i++)
		if (layer_xattr_is_kept(e->xattrs[i].name))
			sorted[n++] = &e->xattrs[i];
	if (n > 1)
		qsort(sorted, n, sizeof(const struct layer_xattr *), compare_xattrs);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&key);
		buf_printf(&key, "SCHILY.xattr.%s", sorted[i]->name);
		put_record(pax, buf_str(&key), sorted[i]->value, sorted[i]->size);
	}
}

static char type_of(const struct layer_entry *e)
{
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		return '5';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFIFO:
		return '6';
	default:
		return e->link ? '1' : '0';
	}
}

/* The header of the records: readers use none of its fields but the size. */
static void put_pax(struct buf *out, const struct buf *pax, const char *path)
{
	static const char dir[] = "PaxHeaders/", zeros[TAR_BLOCK];
	struct ustar h = {0};
	const char *base = strrchr(path, '/');
	size_t len, tail = pax->len % TAR_BLOCK;

	base = base ? base + 1 : path;
	len = strnlen(base, sizeof(h.name) - strlen(dir));
	memcpy(h.name, dir, strlen(dir));
	memcpy(h.name + strlen(dir), base, len);
	put_octal(h.mode, sizeof(h.mode), 0644);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), pax->len);
	put_octal(h.mtime, sizeof(h.mtime), 0);
	put_octal(h.major, sizeof(h.major), 0);
	put_octal(h.minor, sizeof(h.minor), 0);
	put_block(out, &h, 'x');
	buf_add(out, pax->data, pax->len);
	if (tail)
		buf_add(out, zeros, TAR_BLOCK - tail);
}

void tar_header_add(struct buf *out, const struct layer_entry *e)
{
	AUTO(buf) struct buf pax = BUF_INIT, path = BUF_INIT;
	char type = type_of(e);
	bool device = type == '3' || type == '4';
	struct ustar h = {0};

	buf_addstr(&path, e->path);
	if (type == '5')
		buf_addch(&path, '/');
	put_path(&pax, &h, buf_str(&path), path.len);
	if (e->link)
		memcpy(h.link, e->link, strnlen(e->link, sizeof(h.link)));
	if (e->link && strlen(e->link) > sizeof(h.link))
		put_record(&pax, "linkpath", e->link, strlen(e->link));
	/* the mode of a link means nothing and differs between file systems */
	put_octal(h.mode, sizeof(h.mode), type == '2' ? 0777 : e->mode & 07777);
	put_number(&pax, "uid", h.uid, sizeof(h.uid), e->uid);
	put_number(&pax, "gid", h.gid, sizeof(h.gid), e->gid);
	put_number(&pax, "size", h.size, sizeof(h.size), type == '0' ? (int64_t)e->size : 0);
	put_number(&pax, "mtime", h.mtime, sizeof(h.mtime), e->mtime_sec);
	put_octal(h.major, sizeof(h.major), device ? major(e->rdev) : 0);
	put_octal(h.minor, sizeof(h.minor), device ? minor(e->rdev) : 0);
	if (e->nxattrs && type != '1')
		put_xattrs(&pax, e);
	if (pax.len)
		put_pax(out, &pax, e->path);
	put_block(out, &h, type);
}

bool tar_is_header(const unsigned char block[TAR_BLOCK])
{
	const struct ustar *h = (const void *)block;
	unsigned want = 0;
	size_t i = 0;

	while (i < sizeof(h->checksum) && h->checksum[i] == ' ')
		i++;
	if (i == sizeof(h->checksum) || h->checksum[i] < '0' || h->checksum[i] > '7')
		return false;
	for (; i < sizeof(h->checksum) && h->checksum[i] >= '0' && h->checksum[i] <= '7'; i++)
		want = want * 8 + (unsigned)(h->checksum[i] - '0');
	return want == sum_of(block);
}

bool layer_xattr_is_overlay(const char *name, const char *what)
{
	if (str_starts(name, "trusted.overlay."))
		return str_starts(name + strlen("trusted.overlay."), what);
	return str_starts(name, "user.overlay.") &&
	       str_starts(name + strlen("user.overlay."), what);
}

bool layer_xattr_is_kept(const char *name)
{
	if (str_starts(name, "user."))
		return !str_starts(name, "user.overlay.");
	return str_eq(name, "security.capability");
}

void layer_tar_header(const struct layer_entry *e, struct buf *out)
{
	tar_header_add(out, e);
}
