/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two readers one behind the other: the first takes off the compression, the
 * second reads the tar in it.  Between them the stream passes as it is, whole.
 */
#include "layer/layer_unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "layer/layer_tar.h"

#include "base/banned.h"

struct reader {
	struct unpack_input *in;  /* borrowed */
	struct unpack_gzip *gzip; /* owned: decompression, or */
	struct archive *bytes;	  /* owned: others */
	struct archive *tar;	  /* owned */
	struct hasher hasher;
	bool hashing;
	bool empty;
	bool broken; /* it was the first reader that failed */
	uint64_t entries;
};

static void reader_auto(struct reader *r)
{
	if (r->tar)
		archive_read_free(r->tar);
	if (r->bytes)
		archive_read_free(r->bytes);
	free(r->gzip);
}

/* A "retry" is a damaged header that a lenient reader would skip. */
static bool is_failure(int got)
{
	return got == ARCHIVE_RETRY || got < ARCHIVE_WARN;
}

static const char *reason(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text ? text : "unreadable";
}

/* Callback of the first reader. */
static la_ssize_t next_input(struct archive *a, void *data, const void **out)
{
	struct reader *r = data;
	ssize_t n = unpack_input_next(r->in, out);

	if (n < 0)
		archive_set_error(a, errno, "cannot read it");
	return n;
}

static int open_bytes(struct reader *r, struct error *err)
{
	struct archive_entry *whole;
	int got;

	if (unpack_gzip_open(r->in, &r->gzip))
		return 0;
	r->bytes = archive_read_new();
	if (!r->bytes)
		return error_set(err, ERR_SYSTEM, "no memory for the archive reader");
	/* what is cut off within its header: for the sake of the message */
	archive_read_support_filter_gzip(r->bytes);
	archive_read_support_filter_bzip2(r->bytes);
	archive_read_support_filter_xz(r->bytes);
	archive_read_support_filter_zstd(r->bytes);
	archive_read_support_format_raw(r->bytes);
	archive_read_support_format_empty(r->bytes);
	if (archive_read_open(r->bytes, r, NULL, next_input, NULL) < ARCHIVE_WARN)
		return error_set(err, ERR_CORRUPT, "cannot read the archive: %s",
				 reason(r->bytes));
	got = archive_read_next_header(r->bytes, &whole);
	r->empty = got == ARCHIVE_EOF;
	if (!r->empty && is_failure(got))
		return error_set(err, ERR_CORRUPT, "cannot read the archive: %s",
				 reason(r->bytes));
	return 0;
}

/* The next block without its packing: 0 at the end, -1 with @out_why. */
static ssize_t next_plain(struct reader *r, const void **out, const char **out_why)
{
	la_int64_t offset;
	size_t len = 0;
	ssize_t n;
	int got;

	if (r->gzip) {
		n = unpack_gzip_next(r->gzip, out);
		*out_why = unpack_gzip_reason(r->gzip);
		return n;
	}
	got = archive_read_data_block(r->bytes, out, &len, &offset);
	if (got == ARCHIVE_EOF)
		return 0;
	*out_why = reason(r->bytes);
	return is_failure(got) ? -1 : (ssize_t)len;
}

/* Callback of the second reader. */
static la_ssize_t next_bytes(struct archive *a, void *data, const void **out)
{
	struct reader *r = data;
	const char *why = NULL;
	ssize_t n = next_plain(r, out, &why);

	if (n < 0) {
		archive_set_error(a, EIO, "%s", why);
		r->broken = true;
	}
	if (n > 0 && r->hashing)
		hasher_add(&r->hasher, *out, (size_t)n);
	return n;
}

/* The second reader has said no, to the whole or to the next entry. */
static int tar_error(struct reader *r, struct error *err)
{
	/* its words for "no format knows this"; the code is the one of all damage */
	if (str_eq(reason(r->tar), "Unrecognized archive format")) {
		error_set(err, ERR_INVALID, "not a tar archive");
		error_hint(err,
			   "a tar file, plain or compressed with gzip, bzip2, xz or zstd, is "
			   "what can be unpacked");
		return -ERR_INVALID;
	}
	if (r->entries == 0 && r->broken)
		return error_set(err, ERR_CORRUPT, "cannot read the archive: %s",
				 reason(r->tar));
	return error_set(err, ERR_CORRUPT, "archive entry %llu: %s",
			 (unsigned long long)r->entries + 1, reason(r->tar));
}

static int open_tar(struct reader *r, struct error *err)
{
	r->tar = archive_read_new();
	if (!r->tar)
		return error_set(err, ERR_SYSTEM, "no memory for the archive reader");
	archive_read_support_format_tar(r->tar);
	if (archive_read_open(r->tar, r, NULL, next_bytes, NULL) < ARCHIVE_WARN)
		return tar_error(r, err);
	return 0;
}

/* A name for a message: short, and nothing that a terminal would obey. */
static char *printable(const char *name)
{
	char *text = mem_strndup(name, strnlen(name, 200));

	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	return text;
}

/* "below/name" of the names in @name; leading slashes and "." mean nothing. */
static int clean_name(const struct unpack_tree *t, const char *name, char **out,
		      struct error *err)
{
	AUTO(buf) struct buf b = BUF_INIT;

	if (strlen(name) > LIMIT_TAR_PATH_BYTES)
		return error_set(err, ERR_LIMIT, "a path of more than %u bytes",
				 LIMIT_TAR_PATH_BYTES);
	buf_addstr(&b, t->below);
	while (name += strspn(name, "/"), *name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return error_set(err, ERR_ESCAPE,
					 "a path with \"..\" could leave its directory");
		if (n > NAME_MAX)
			return error_set(err, ERR_LIMIT, "a name of more than %d bytes",
					 NAME_MAX);
		if (n != 1 || *name != '.') {
			if (b.len)
				buf_addch(&b, '/');
			buf_add(&b, name, n);
		}
		name += n;
	}
	*out = buf_steal(&b);
	return 0;
}

static int convert_xattrs(const struct unpack_tree *t, struct archive_entry *from,
			  struct unpack_entry *e, struct error *err)
{
	const void *value;
	const char *name;
	size_t size;

	if (t->mode == LAYER_UNPACK_CONTEXT)
		return 0;
	archive_entry_xattr_reset(from);
	while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
		if (!layer_xattr_is_kept(name) ||
		    (t->mode == LAYER_UNPACK_ADD && str_starts(name, "user.")))
			continue;
		if (size > LIMIT_XATTR_BYTES)
			return error_set(err, ERR_LIMIT, "the attribute %s is too large", name);
		*vec_push(&e->xattrs) =
			(struct layer_xattr){.name = name, .value = value, .size = size};
	}
	return 0;
}

static int convert_links(const struct unpack_tree *t, struct archive_entry *from,
			 struct unpack_entry *e, struct error *err)
{
	const char *link = archive_entry_hardlink(from);

	if (link) {
		e->hard = true;
		if (clean_name(t, link, &e->link, err) < 0)
			return error_wrap(err, "the target of its hard link");
		return 0;
	}
	if (!S_ISLNK(e->mode))
		return 0;
	link = archive_entry_symlink(from);
	if (!link || !*link)
		return error_set(err, ERR_CORRUPT, "a symbolic link to nothing");
	if (strlen(link) >= LIMIT_LINK_BYTES)
		return error_set(err, ERR_LIMIT, "a symbolic link of more than %u bytes",
				 LIMIT_LINK_BYTES - 1);
	e->link = mem_strdup(link);
	return 0;
}

static int convert(const struct unpack_tree *t, const char *name, struct archive_entry *from,
		   struct unpack_entry *e, struct error *err)
{
	int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);
	int64_t size = archive_entry_size(from);
	long ns = archive_entry_mtime_nsec(from);
	int r = clean_name(t, name, &e->path, err);

	if (r < 0)
		return r;
	/* -1 is no owner: it tells chown to leave what is */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return error_set(err, ERR_INVALID, "an owner out of range");
	if (size < 0)
		return error_set(err, ERR_CORRUPT, "a negative size");
	e->mode = archive_entry_filetype(from) | (archive_entry_perm(from) & 07777);
	e->uid = (uid_t)uid;
	e->gid = (gid_t)gid;
	e->size = (uint64_t)size;
	e->mtime.tv_sec = archive_entry_mtime(from);
	e->mtime.tv_nsec = ns >= 0 && ns < 1000000000 ? ns : 0;
	e->rdev = makedev((unsigned)archive_entry_rdevmajor(from),
			  (unsigned)archive_entry_rdevminor(from));
	if ((r = convert_links(t, from, e, err)) < 0)
		return r;
	return convert_xattrs(t, from, e, err);
}

enum whiteout {
	WHITEOUT_NONE,
	WHITEOUT_NAME,	 /* the entry removes a name: e->path becomes that */
	WHITEOUT_OPAQUE, /* e->path becomes the directory */
	WHITEOUT_SKIP,	 /* aufs's own files */
};

static int find_whiteout(struct unpack_entry *e, enum whiteout *out, struct error *err)
{
	char *slash = strrchr(e->path, '/'), *base = slash ? slash + 1 : e->path;
	const char *hidden = base + strlen(TAR_WHITEOUT);

	*out = WHITEOUT_NONE;
	for (const char *p = e->path; p < base; p = strchr(p, '/') + 1) {
		if (str_starts(p, TAR_WHITEOUT TAR_WHITEOUT)) {
			*out = WHITEOUT_SKIP;
			return 0;
		}
		if (str_starts(p, TAR_WHITEOUT))
			return error_set(err, ERR_INVALID, "lies below a removed name");
	}
	if (!str_starts(base, TAR_WHITEOUT))
		return 0;
	if (str_eq(base, TAR_OPAQUE)) {
		*out = WHITEOUT_OPAQUE;
		*(slash ? slash : e->path) = 0;
		return 0;
	}
	if (str_starts(hidden, TAR_WHITEOUT)) {
		*out = WHITEOUT_SKIP;
		return 0;
	}
	if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, ".."))
		return error_set(err, ERR_ESCAPE, "removes no name of this directory");
	memmove(base, hidden, strlen(hidden) + 1);
	*out = WHITEOUT_NAME;
	return 0;
}

/* Bytes of the current entry, for the tree. */
static int entry_bytes(void *data, const void **out, size_t *out_len, int64_t *out_offset,
		       struct error *err)
{
	struct reader *r = data;
	la_int64_t offset = 0;
	int got = archive_read_data_block(r->tar, out, out_len, &offset);

	*out_offset = offset;
	if (got == ARCHIVE_EOF)
		return 1;
	if (is_failure(got))
		return error_set(err, ERR_CORRUPT, "%s", reason(r->tar));
	return 0;
}

static int take_entry(struct reader *r, struct unpack_tree *t, const char *name,
		      struct archive_entry *from, struct error *err)
{
	const struct unpack_source source = {.read = entry_bytes, .data = r};
	AUTO(unpack_entry) struct unpack_entry e = {0};
	enum whiteout whiteout = WHITEOUT_NONE;
	int got = convert(t, name, from, &e, err);

	if (got == 0 && t->mode == LAYER_UNPACK_LAYER)
		got = find_whiteout(&e, &whiteout, err);
	if (got < 0)
		return got;
	switch (whiteout) {
	case WHITEOUT_NAME:
		return unpack_tree_whiteout(t, &e, err);
	case WHITEOUT_OPAQUE:
		return unpack_tree_opaque(t, &e, err);
	case WHITEOUT_SKIP:
		return 0;
	case WHITEOUT_NONE:
		break;
	}
	return unpack_tree_add(t, &e, &source, err);
}

static int take_next(struct reader *r, struct unpack_tree *t, struct error *err)
{
	struct archive_entry *from;
	const char *name;
	int got = archive_read_next_header(r->tar, &from);

	if (got == ARCHIVE_EOF)
		return 1;
	if (is_failure(got))
		return tar_error(r, err);
	if (++r->entries > LIMIT_TAR_ENTRIES)
		return error_set(err, ERR_LIMIT, "the archive has more than %u entries",
				 LIMIT_TAR_ENTRIES);
	name = archive_entry_pathname(from);
	if (!name)
		return error_set(err, ERR_CORRUPT, "archive entry %llu: has no name",
				 (unsigned long long)r->entries);
	if ((got = take_entry(r, t, name, from, err)) < 0) {
		AUTO(free) char *shown = printable(name);

		error_wrap(err, "archive entry %llu (%s)", (unsigned long long)r->entries,
			   shown);
		return got;
	}
	return 0;
}

/* To the very end: checksums of the compression are there, and a pipe wants to be read. */
static int drain(struct reader *r, struct error *err)
{
	const void *data;
	la_ssize_t n;

	while ((n = next_bytes(r->tar, r, &data)) > 0)
		;
	if (n < 0)
		return error_set(err, ERR_CORRUPT, "after the last archive entry: %s",
				 reason(r->tar));
	return 0;
}

int unpack_read(struct unpack_tree *t, struct unpack_input *in, struct layer_unpacked *out,
		struct error *err)
{
	AUTO(reader) struct reader r = {.in = in, .hashing = t->mode == LAYER_UNPACK_LAYER};
	int got = open_bytes(&r, err);

	if (got < 0)
		return got;
	if (r.empty)
		return error_set(err, ERR_INVALID, "the archive is empty");
	hasher_init(&r.hasher);
	if ((got = open_tar(&r, err)) < 0)
		return got;
	do
		got = take_next(&r, t, err);
	while (got == 0);
	if (got < 0 || (got = drain(&r, err)) < 0 || (got = unpack_tree_finish(t, err)) < 0)
		return got;
	out->entries = r.entries;
	out->content_bytes = t->bytes;
	if (r.hashing)
		hasher_end(&r.hasher, &out->stream);
	return 0;
}

int unpack_probe(struct unpack_input *in, bool *out, struct error *err)
{
	AUTO(reader) struct reader r = {.in = in};
	unsigned char block[TAR_BLOCK];
	const char *why = NULL;
	const void *data;
	size_t have = 0;

	*out = false;
	if (open_bytes(&r, NULL) < 0 || r.empty)
		return 0; /* compression that cannot be read is no archive to ADD */
	while (have < sizeof(block)) {
		ssize_t n = next_plain(&r, &data, &why);
		size_t room = sizeof(block) - have;

		if (n <= 0)
			return 0;
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(block + have, data, room);
		have += room;
	}
	(void)err;
	*out = tar_is_header(block);
	return 0;
}
