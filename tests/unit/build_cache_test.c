/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --cache-to and --cache-from, and the document of a cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "build/cache.h"
#include "build/step.h"

#include "base/banned.h"

/* ---- places ---- */

static void test_places(void **state)
{
	static const struct {
		const char *text;
		bool to;
		enum cache_type type; /* 0: refused */
		const char *says;     /* its name, or a part of the message */
	} cases[] = {
		{"user/app:cache", false, CACHE_REGISTRY, "user/app:cache"},
		{"user/app", true, CACHE_REGISTRY, "user/app"},
		{"type=registry,ref=h:5000/a", true, CACHE_REGISTRY, "h:5000/a"},
		{"ref=a,mode=max,TYPE=registry", true, CACHE_REGISTRY, "a"},
		{"type=registry,ref=a,registry.insecure=true", false, CACHE_REGISTRY, "a"},
		{"type=registry,ref=a@sha256:"
		 "0123456789012345678901234567890123456789012345678901234567890123",
		 true, 0, "written to a tag"},
		{"type=registry,ref=a,mode=max", false, 0, "unknown key mode"},
		{"type=registry,ref=a,mode=most", true, 0, "min or max"},
		{"type=registry,ref=a,oci-mediatypes=no", true, 0, "true or false"},
		{"type=registry,dest=a", true, 0, "unknown key dest"},
		{"type=registry", true, 0, "needs ref=NAME"},
		{"type=inline", true, CACHE_INLINE, NULL},
		{"type=inline,mode=max", true, CACHE_INLINE, NULL},
		{"type=inline", false, 0, "no cache of type inline"},
		{"type=inline,compression=zstd", true, 0, "unknown key compression"},
		{"type=inline,cache-mounts=true", true, 0, "unknown key cache-mounts"},
		{"type=registry,ref=a,cache-mounts=true", false, CACHE_REGISTRY, "a"},
		{"type=local,src=/x", false, CACHE_LOCAL, "/x"},
		{"dest=/x,type=local", true, CACHE_LOCAL, "/x"},
		{"type=local,ref=a", true, 0, "unknown key ref"},
		{"type=s3,bucket=x", true, 0, "type s3 are not supported"},
		{"mode=max", true, 0, "type is missing"},
		{"type=local,x", true, 0, "not of the form"},
		{"", true, 0, "not a list"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_place) struct cache_place p = {0};
		AUTO(error) struct error err = ERROR_INIT;
		int r = cache_place_parse(cases[i].text, cases[i].to, &p, &err);

		if (!cases[i].type) {
			assert_int_not_equal(r, 0);
			assert_non_null(strstr(err.message, cases[i].says));
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(p.type, cases[i].type);
		if (cases[i].says)
			assert_string_equal(cache_place_name(&p), cases[i].says);
	}
}

/* Docker's media types are for indexes only. */
static void test_forms(void **state)
{
	static const struct {
		const char *more;
		bool index, docker;
	} cases[] = {
		{"", false, false},
		{",image-manifest=false", true, false},
		{",image-manifest=true", false, false},
		{",oci-mediatypes=false", true, true},
		{",oci-mediatypes=false,image-manifest=false", true, true},
	};
	AUTO(cache_place) struct cache_place bad = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_place) struct cache_place p = {0};
		AUTO(free)
		char *text = mem_printf("type=registry,ref=a%s", cases[i].more);

		assert_int_equal(cache_place_parse(text, true, &p, NULL), 0);
		assert_int_equal(p.index, cases[i].index);
		assert_int_equal(p.docker_types, cases[i].docker);
	}
	assert_int_not_equal(
		cache_place_parse(
			"type=registry,ref=a,oci-mediatypes=false,image-manifest=true", true,
			&bad, NULL),
		0);
}

/* ---- documents ---- */

static struct digest digest(char c)
{
	struct digest d;

	digest_of(&c, 1, &d);
	return d;
}

static void add_layer(struct cache_document *d, char name, bool blob)
{
	struct cache_layer *l = vec_push(&d->layers);
	struct digest packed = digest((char)(name - 'a' + 'A'));

	*l = (struct cache_layer){.diff_id = digest(name), .blob = DESCRIPTOR_INIT};
	l->has_blob = blob;
	l->measured = true;
	l->content_bytes = (uint64_t)name;
	if (blob)
		descriptor_set(&l->blob, MEDIA_OCI_LAYER_GZIP, &packed, 7);
}

static void add_step(struct cache_document *d, char key, size_t layer)
{
	struct cache_step *s = vec_push(&d->steps);

	*s = (struct cache_step){.key = digest(key),
				 .layer = layer,
				 .created_ns = 1700000000000000000,
				 .duration_ns = 5};
}

/* A layer without a blob in the middle: places in the text are counted without it. */
static void make(struct cache_document *d)
{
	struct cache_memo *m;
	struct cache_mount *mount;

	*d = (struct cache_document){0};
	add_layer(d, 'a', true);
	add_layer(d, 'b', false);
	add_layer(d, 'c', true);
	add_step(d, '1', 2);
	add_step(d, '2', 1);
	add_step(d, '3', 0);
	m = vec_push(&d->memos);
	m->key = digest('4');
	m->value = digest('5');
	mount = vec_push(&d->mounts);
	*mount = (struct cache_mount){.key = digest('6'),
				      .id = mem_strdup("apt"),
				      .layer = 2,
				      .mode = 0750,
				      .uid = 3};
}

static const struct cache_layer *layer_of(const struct cache_document *d, size_t step)
{
	return &d->layers.items[d->steps.items[step].layer];
}

static void test_document(void **state)
{
	AUTO(cache_document) struct cache_document d, again = {0};
	AUTO(buf) struct buf text = BUF_INIT, second = BUF_INIT;
	struct digest a = digest('a'), b = digest('b'), c = digest('c'), five = digest('5');

	(void)state;
	make(&d);
	cache_document_encode(&d, &text);
	assert_int_equal(cache_document_decode(text.data, text.len, &again, NULL), 0);
	assert_int_equal(again.steps.n, 3);
	assert_true(digest_eq(&layer_of(&again, 0)->diff_id, &c));
	assert_true(digest_eq(&layer_of(&again, 1)->diff_id, &b));
	assert_true(digest_eq(&layer_of(&again, 2)->diff_id, &a));
	assert_false(layer_of(&again, 1)->has_blob);
	assert_int_equal(layer_of(&again, 0)->blob.size, 7);
	assert_int_equal(layer_of(&again, 0)->content_bytes, 'c');
	assert_int_equal(again.steps.items[0].created_ns, 1700000000000000000);
	assert_int_equal(again.steps.items[0].duration_ns, 5);
	assert_int_equal(again.memos.n, 1);
	assert_int_equal(again.mounts.n, 1);
	assert_string_equal(again.mounts.items[0].id, "apt");
	assert_int_equal(again.mounts.items[0].layer, 1);
	assert_int_equal(again.mounts.items[0].mode, 0750);
	assert_int_equal(again.mounts.items[0].uid, 3);
	assert_true(digest_eq(&again.memos.items[0].value, &five));
	cache_document_encode(&again, &second);
	assert_string_equal(buf_str(&text), buf_str(&second));
}

/* Of an image with the layers x, c, a: those are counted in its order. */
static void test_records(void **state)
{
	AUTO(cache_document) struct cache_document d, again = {0};
	AUTO(buf) struct buf text = BUF_INIT;
	struct digest layers[] = {digest('x'), digest('c'), digest('a')};
	const struct digest_list image = {.items = layers, .n = 3};

	(void)state;
	make(&d);
	cache_records_encode(&d, &image, &text);
	for (size_t i = 0; i < image.n; i++) {
		add_layer(&again, 'z', true);
		again.layers.items[i].diff_id = layers[i];
	}
	assert_int_equal(cache_records_decode(text.data, text.len, &again, NULL), 0);
	assert_int_equal(again.steps.n, 3);
	assert_int_equal(again.steps.items[0].layer, 1);
	assert_int_equal(again.steps.items[2].layer, 2);
	assert_false(layer_of(&again, 1)->has_blob);
	assert_true(digest_eq(&layer_of(&again, 1)->diff_id, &d.layers.items[1].diff_id));
}

static void test_bad_documents(void **state)
{
#define OURS "\"stave\":{\"keys\":\"" STEP_KEY_VERSION "\"}"
#define D    "\"sha256:0123456789012345678901234567890123456789012345678901234567890123\""
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", NULL},
		{"[]", "not a build cache"},
		{"{}", "written by BuildKit"},
		{"{\"layers\":[],\"records\":[]}", "written by BuildKit"},
		{"{\"stave\":{\"keys\":\"x\"}}", "another version"},
		{"{\"stave\":7}", "another version"},
		{"{" OURS ",\"layers\":7}", "layers"},
		{"{" OURS ",\"layers\":[7]}", "blob"},
		{"{" OURS ",\"layers\":[{\"blob\":" D "}]}", "diffID"},
		{"{" OURS ",\"layers\":[{\"blob\":" D ",\"annotations\":{\"diffID\":" D "}}]}",
		 "mediaType"},
		{"{" OURS ",\"records\":[{\"stave\":{}}]}", "digest"},
		{"{" OURS ",\"records\":[{\"digest\":" D ",\"stave\":{}}]}", "content"},
		{"{" OURS ",\"records\":[{\"digest\":" D ",\"stave\":{\"diffID\":" D "}}]}",
		 "createdAt"},
		{"{" OURS ",\"records\":[{\"digest\":" D ",\"layers\":[{\"layer\":0}],"
		 "\"stave\":{\"diffID\":" D "}}]}",
		 "not there"},
		{"{" OURS ",\"records\":[{\"digest\":" D ",\"stave\":{\"diffID\":" D
		 ",\"createdAt\":\"2020-01-01T00:00:00Z\",\"duration\":-1}}]}",
		 "negative"},
		{"{\"stave\":{\"keys\":\"" STEP_KEY_VERSION "\",\"mounts\":[{\"key\":" D
		 ",\"layer\":0}]}}",
		 "what cannot be"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cache_document) struct cache_document d = {0};
		AUTO(error) struct error err = ERROR_INIT;

		assert_int_not_equal(
			cache_document_decode(cases[i].text, strlen(cases[i].text), &d, &err),
			0);
		assert_int_equal(d.layers.n + d.steps.n, 0);
		if (cases[i].says && !strstr(err.message, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.message);
	}
}

/* Records of BuildKit's between ours are read past. */
static void test_strangers(void **state)
{
	static const char text[] = "{" OURS ",\"records\":[{\"digest\":" D "},{\"digest\":" D
				   ",\"inputs\":[[{\"link\":0}]]}]}";
	AUTO(cache_document) struct cache_document d = {0};

	(void)state;
	assert_int_equal(cache_document_decode(text, strlen(text), &d, NULL), 0);
	assert_int_equal(d.steps.n + d.memos.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	      cmocka_unit_test(test_forms),
		cmocka_unit_test(test_document),      cmocka_unit_test(test_records),
		cmocka_unit_test(test_bad_documents), cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
