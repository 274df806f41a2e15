/* SPDX-License-Identifier: Apache-2.0 */
/* The packages of an image as an SPDX 2.3 document (https://spdx.github.io/spdx-spec/v2.3/). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/image.h"

#include "base/banned.h"

#define NOASSERTION "NOASSERTION"

/* SPDXRef-[a-zA-Z0-9.-]+ */
static char *spdx_id(const struct image_package *p, size_t number)
{
	char *id = mem_printf("SPDXRef-Package-%s-%s-%zu", p->type, p->name, number);

	for (char *c = id; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-')
			*c = '-';
	return id;
}

/* https://github.com/package-url/purl-spec: all but a few characters as %XX. */
static void purl_add(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr(".-_~:", *text))
			buf_addch(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

static json_t *purl(const struct image_package_list *l, const struct image_package *p)
{
	AUTO(buf) struct buf text = BUF_INIT;

	buf_printf(&text, "pkg:%s/", p->type);
	purl_add(&text, l->distribution		 ? l->distribution
			: str_eq(p->type, "apk") ? "alpine"
						 : "debian");
	buf_addch(&text, '/');
	purl_add(&text, p->name);
	buf_addch(&text, '@');
	purl_add(&text, p->version);
	if (p->architecture) {
		buf_addstr(&text, "?arch=");
		purl_add(&text, p->architecture);
	}
	if (l->distribution && l->release) {
		buf_printf(&text, "%cdistro=", p->architecture ? '&' : '?');
		purl_add(&text, l->distribution);
		buf_addch(&text, '-');
		purl_add(&text, l->release);
	}
	return json_string(buf_str(&text));
}

/* Text of a stranger: what is not UTF-8 cannot be said in JSON. */
static json_t *text_or(const char *text, const char *otherwise)
{
	json_t *j = text ? json_string(text) : NULL;

	return j ? j : json_string(otherwise);
}

static json_t *package(const struct image_package_list *l, const struct image_package *p,
		       const char *id)
{
	AUTO(free) char *who = p->maintainer ? mem_printf("Person: %s", p->maintainer) : NULL;
	json_t *j = json_object(), *refs = json_array(), *ref = json_object();

	json_object_set_new(j, "name", text_or(p->name, "?"));
	json_object_set_new(j, "SPDXID", json_string(id));
	json_object_set_new(j, "versionInfo", text_or(p->version, "?"));
	json_object_set_new(j, "supplier", text_or(who, NOASSERTION));
	json_object_set_new(j, "downloadLocation", json_string(NOASSERTION));
	json_object_set_new(j, "filesAnalyzed", json_false());
	json_object_set_new(j, "licenseConcluded", json_string(NOASSERTION));
	json_object_set_new(j, "licenseDeclared", text_or(p->license, NOASSERTION));
	json_object_set_new(j, "copyrightText", json_string(NOASSERTION));
	json_object_set_new(ref, "referenceCategory", json_string("PACKAGE-MANAGER"));
	json_object_set_new(ref, "referenceType", json_string("purl"));
	json_object_set_new(ref, "referenceLocator", purl(l, p));
	json_array_append_new(refs, ref);
	json_object_set_new(j, "externalRefs", refs);
	return j;
}

static json_t *relation(const char *from, const char *how, const char *to)
{
	json_t *j = json_object();

	json_object_set_new(j, "spdxElementId", json_string(from));
	json_object_set_new(j, "relationshipType", json_string(how));
	json_object_set_new(j, "relatedSpdxElement", json_string(to));
	return j;
}

static json_t *creation(int64_t created_ns)
{
	json_t *j = json_object(), *creators = json_array();
	AUTO(buf) struct buf when = BUF_INIT;

	clock_format(created_ns / 1000000000 * 1000000000, &when);
	json_object_set_new(j, "created", json_string(buf_str(&when)));
	json_array_append_new(creators, json_string("Tool: stave-" STAVE_VERSION));
	json_object_set_new(j, "creators", creators);
	return j;
}

/* A pure function of the files and the image's time. */
static json_t *document(const struct image_package_list *l, const struct image_config *cfg)
{
	json_t *j = json_object(), *packages = json_array(), *relations = json_array();
	char text[DIGEST_TEXT_SIZE] = "sha256:0";
	AUTO(free) char *space = NULL;
	struct digest d;

	if (cfg->diff_ids.n) {
		chain_id_of(cfg->diff_ids.items, cfg->diff_ids.n, &d);
		digest_text(&d, text);
	}
	space = mem_printf("urn:stave:spdx:%s", text);
	json_object_set_new(j, "spdxVersion", json_string("SPDX-2.3"));
	json_object_set_new(j, "dataLicense", json_string("CC0-1.0"));
	json_object_set_new(j, "SPDXID", json_string("SPDXRef-DOCUMENT"));
	json_object_set_new(j, "name", json_string("sbom"));
	json_object_set_new(j, "documentNamespace", json_string(space));
	json_object_set_new(j, "creationInfo", creation(cfg->has_created ? cfg->created : 0));
	for (size_t i = 0; i < l->n; i++) {
		AUTO(free) char *id = spdx_id(&l->items[i], i + 1);

		json_array_append_new(packages, package(l, &l->items[i], id));
		json_array_append_new(relations, relation("SPDXRef-DOCUMENT", "DESCRIBES", id));
	}
	json_object_set_new(j, "packages", packages);
	json_object_set_new(j, "relationships", relations);
	return j;
}

int image_sbom(struct store *s, const struct image_config *cfg, json_t **out, struct error *err)
{
	AUTO(image_package_list) struct image_package_list list = {0};
	AUTO(fd) int tree = -1;
	int r = image_view(s, cfg, &tree, err);

	if (r < 0)
		return r;
	image_packages(tree, &list);
	*out = document(&list, cfg);
	return 0;
}
