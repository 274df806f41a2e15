/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of `image why-big --html`: style, script and data in one file.  Its
 * Content-Security-Policy knows this script and this style by their digests and
 * allows nothing else, and all that comes from the image is either text of a
 * JSON block without any "<" or was escaped.
 */
#include <string.h>

#include "cli/cli_big.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static void add_lines(const char *const *lines, struct buf *out)
{
	for (; *lines; lines++)
		buf_addstr(out, *lines);
}

static void add_base64(const unsigned char *bytes, size_t n, struct buf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)bytes[i] << 16;

		v |= i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0;
		v |= i + 2 < n ? bytes[i + 2] : 0;
		buf_addch(out, digits[v >> 18]);
		buf_addch(out, digits[v >> 12 & 63]);
		buf_addch(out, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_addch(out, i + 2 < n ? digits[v & 63] : '=');
	}
}

static void add_source(const struct buf *text, struct buf *out)
{
	struct digest d;

	digest_of(text->data, text->len, &d);
	buf_addstr(out, "'sha256-");
	add_base64(d.bytes, DIGEST_SIZE, out);
	buf_addstr(out, "'");
}

static void add_escaped(const char *text, struct buf *out)
{
	for (const char *c = text; *c; c++) {
		switch (*c) {
		case '<':
			buf_addstr(out, "&lt;");
			break;
		case '>':
			buf_addstr(out, "&gt;");
			break;
		case '&':
			buf_addstr(out, "&amp;");
			break;
		case '"':
			buf_addstr(out, "&quot;");
			break;
		default:
			buf_addch(out, *c);
		}
	}
}

static void add_node(const struct big_node *n, struct buf *out)
{
	buf_addch(out, '[');
	json_quote(n->name, true, out);
	buf_printf(out, ",\"%s\",%llu,%llu,", n->kind, (unsigned long long)n->bytes,
		   (unsigned long long)n->wasted);
	json_quote(n->why ? n->why : "", true, out);
	for (size_t i = 0; i < n->n; i++) {
		buf_addstr(out, i ? "," : ",[");
		add_node(n->items[i], out);
	}
	buf_addstr(out, n->n ? "]]" : "]");
}

static void add_summary(const struct image_big *b, struct buf *out)
{
	AUTO(buf) struct buf size = BUF_INIT;
	AUTO(buf) struct buf waste = BUF_INIT;

	format_size(b->bytes, &size);
	format_size(b->bytes - b->wasted[IMAGE_USED], &waste);
	buf_printf(out, "<p>%s in %zu layers and %zu files; %s wasted.</p>\n", buf_str(&size),
		   b->layers.n, b->files.n, buf_str(&waste));
}

void big_page(const struct image_big *b, const struct big_node *tree, struct buf *out)
{
	AUTO(buf) struct buf script = BUF_INIT;
	AUTO(buf) struct buf style = BUF_INIT;

	add_lines(big_script, &script);
	add_lines(big_style, &style);
	buf_addstr(out,
		   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
		   "'none'; base-uri 'none'; form-action 'none'; script-src ");
	add_source(&script, out);
	buf_addstr(out, "; style-src ");
	add_source(&style, out);
	buf_addstr(out,
		   "\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	add_escaped(tree->name, out);
	buf_addstr(out, "</title>\n<style>");
	buf_add(out, style.data, style.len);
	buf_addstr(out, "</style>\n</head>\n<body>\n<h1>");
	add_escaped(tree->name, out);
	buf_addstr(out, "</h1>\n");
	add_summary(b, out);
	buf_addstr(out, "<nav id=\"path\"></nav>\n<div id=\"map\"></div>\n<table>\n<thead><tr>"
			"<th class=\"number\">Size</th><th class=\"number\">Share</th>"
			"<th>Name</th><th>Kind</th><th>Wasted</th></tr></thead>\n"
			"<tbody id=\"rows\"></tbody>\n</table>\n"
			"<script type=\"application/json\" id=\"data\">");
	add_node(tree, out);
	buf_addstr(out, "</script>\n<script>");
	buf_add(out, script.data, script.len);
	buf_addstr(out, "</script>\n</body>\n</html>\n");
}
