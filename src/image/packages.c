/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What package managers wrote down in an image: dpkg (its status file, or
 * status.d/ of distroless images) and apk.  Texts of strangers: bounded, and
 * what does not fit the form is passed over.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image.h"

#include "base/banned.h"

#define DPKG	   "var/lib/dpkg"
#define APK_NEW	   "usr/lib/apk/db/installed"
#define APK	   "lib/apk/db/installed"
#define OS_RELEASE "etc/os-release"

/* The text of a file in the tree; false if there is none that can be read. */
static bool read_text(int tree, const char *path, struct buf *out)
{
	buf_reset(out);
	return root_read_file(tree, ROOT_INSIDE, path, LIMIT_PACKAGES_BYTES, out, NULL) == 0;
}

/* The next line of [*at, end), without its end; NULL when there is none. */
static char *next_line(char **at, char *end)
{
	char *line = *at, *nl;

	if (line >= end)
		return NULL;
	nl = memchr(line, '\n', (size_t)(end - line));
	if (!nl)
		nl = end;
	*nl = 0;
	*at = nl + 1;
	return line;
}

static void set(char **to, const char *value)
{
	free(*to);
	*to = mem_strdup(value);
}

static void package_clear(struct image_package *p)
{
	free(p->name);
	free(p->version);
	free(p->architecture);
	free(p->license);
	free(p->maintainer);
	strlist_clear(&p->files);
}

static void drop_last(struct image_package_list *l)
{
	package_clear(&l->items[--l->n]);
}

/* ---- dpkg ---- */

/* Lines "/path"; directories are in it too. */
static void dpkg_files(int tree, struct image_package *p)
{
	AUTO(free) char *plain = mem_printf(DPKG "/info/%s.list", p->name);
	AUTO(free)
	char *multi = mem_printf(DPKG "/info/%s:%s.list", p->name,
				 p->architecture ? p->architecture : "");
	AUTO(buf) struct buf text = BUF_INIT;
	char *at, *line;

	if (strchr(p->name, '/') ||
	    (!read_text(tree, plain, &text) && !read_text(tree, multi, &text)))
		return;
	at = text.data;
	while ((line = next_line(&at, text.data + text.len)))
		if (*line == '/' && line[1] && !str_eq(line, "/."))
			strlist_add(&p->files, line + 1);
}

struct dpkg_stanza {
	struct image_package *p;
	bool installed;
};

static void dpkg_line(struct dpkg_stanza *s, const char *line, bool status_d)
{
	static const char ok[] = "Status: ";

	if (str_starts(line, "Package: "))
		set(&s->p->name, line + 9);
	else if (str_starts(line, "Version: "))
		set(&s->p->version, line + 9);
	else if (str_starts(line, "Architecture: "))
		set(&s->p->architecture, line + 14);
	else if (str_starts(line, "Maintainer: "))
		set(&s->p->maintainer, line + 12);
	else if (str_starts(line, ok))
		s->installed = str_ends(line, " installed");
	if (status_d)
		s->installed = true;
}

static void dpkg_end(int tree, struct dpkg_stanza *s, struct image_package_list *out)
{
	if (!s->p)
		return;
	if (!s->installed || !s->p->name || !s->p->version)
		drop_last(out);
	else
		dpkg_files(tree, s->p);
	*s = (struct dpkg_stanza){0};
}

static void dpkg_text(int tree, struct buf *text, bool status_d, struct image_package_list *out)
{
	struct dpkg_stanza s = {0};
	char *at = text->data, *line;

	while (text->len && out->n < LIMIT_PACKAGES &&
	       (line = next_line(&at, text->data + text->len))) {
		if (!*line) {
			dpkg_end(tree, &s, out);
			continue;
		}
		if (!s.p) {
			s.p = vec_push(out);
			s.p->type = "deb";
		}
		if (*line != ' ')
			dpkg_line(&s, line, status_d);
	}
	dpkg_end(tree, &s, out);
}

static void read_dpkg(int tree, struct image_package_list *out)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int dir = -1;

	if (read_text(tree, DPKG "/status", &text))
		dpkg_text(tree, &text, false, out);
	if (root_open(tree, ROOT_INSIDE, DPKG "/status.d", O_RDONLY | O_DIRECTORY, 0, &dir,
		      NULL) < 0 ||
	    dir_list_read(dir, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		buf_reset(&text);
		if (!str_ends(list.items[i].name, ".md5sums") &&
		    root_read_file(dir, ROOT_BENEATH, list.items[i].name, LIMIT_PACKAGES_BYTES,
				   &text, NULL) == 0)
			dpkg_text(tree, &text, true, out);
	}
}

/* ---- apk ---- */

struct apk_stanza {
	struct image_package *p;
	char *dir; /* of the R: lines that follow */
};

static void apk_line(struct apk_stanza *s, const char *line)
{
	const char *value = line + 2;

	switch (line[0]) {
	case 'P':
		set(&s->p->name, value);
		break;
	case 'V':
		set(&s->p->version, value);
		break;
	case 'A':
		set(&s->p->architecture, value);
		break;
	case 'L':
		set(&s->p->license, value);
		break;
	case 'm':
		set(&s->p->maintainer, value);
		break;
	case 'F':
		set(&s->dir, value);
		break;
	case 'R':
		strlist_printf(&s->p->files, "%s%s%s", s->dir ? s->dir : "",
			       str_empty(s->dir) ? "" : "/", value);
		break;
	default:
		break;
	}
}

static void apk_end(struct apk_stanza *s, struct image_package_list *out)
{
	if (s->p && (!s->p->name || !s->p->version))
		drop_last(out);
	free(s->dir);
	*s = (struct apk_stanza){0};
}

static void read_apk(int tree, struct image_package_list *out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct apk_stanza s = {0};
	char *at, *line;

	if (!read_text(tree, APK, &text) && !read_text(tree, APK_NEW, &text))
		return;
	at = text.data;
	while (text.len && out->n < LIMIT_PACKAGES &&
	       (line = next_line(&at, text.data + text.len))) {
		if (!*line) {
			apk_end(&s, out);
			continue;
		}
		if (line[1] != ':')
			continue;
		if (!s.p) {
			s.p = vec_push(out);
			s.p->type = "apk";
		}
		apk_line(&s, line);
	}
	apk_end(&s, out);
}

/* ---- the distribution ---- */

/* os-release(5): NAME=value, quotes around. */
static void read_release(int tree, struct image_package_list *out)
{
	AUTO(buf) struct buf text = BUF_INIT;
	char *at, *line;

	if (!read_text(tree, OS_RELEASE, &text) &&
	    !read_text(tree, "usr/lib/os-release", &text))
		return;
	at = text.data;
	while (text.len && (line = next_line(&at, text.data + text.len))) {
		char *eq = strchr(line, '=');
		size_t len;

		if (!eq)
			continue;
		*eq++ = 0;
		len = strlen(eq);
		if (len > 1 && (*eq == '"' || *eq == '\'') && eq[len - 1] == *eq) {
			eq[len - 1] = 0;
			eq++;
		}
		if (str_eq(line, "ID"))
			set(&out->distribution, eq);
		else if (str_eq(line, "VERSION_ID"))
			set(&out->release, eq);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct image_package *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (!r)
		r = strcmp(x->version, y->version);
	return r ? r
		 : strcmp(x->architecture ? x->architecture : "",
			  y->architecture ? y->architecture : "");
}

void image_packages(int tree, struct image_package_list *out)
{
	read_release(tree, out);
	read_dpkg(tree, out);
	read_apk(tree, out);
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_name);
}

void image_package_list_clear(struct image_package_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		package_clear(&l->items[i]);
	free(l->items);
	free(l->distribution);
	free(l->release);
	*l = (struct image_package_list){0};
}
