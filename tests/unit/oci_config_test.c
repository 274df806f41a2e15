/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oci/oci.h"

#include "base/mem.h"

/* Written by BuildKit for a Dockerfile that uses every instruction which leaves a trace. */
static const char buildkit_config[] =
	"{\"architecture\":\"amd64\",\"author\":\"joe\",\"config\":{\"User\":\"1:2\",\"Exposed"
	"Ports\":{\"53/udp\":{},\"80/tcp\":{}},\"Env\":[\"PATH=/usr/local/sbin:/usr/loc"
	"al/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"A=1\",\"B=é\"],\"Cmd\":[\"a\",\"b\"],\"Vo"
	"lumes\":{\"/a\":{},\"/data\":{}},\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"\\u003cx\\u"
	"003e\\u0026\",\"b\":\"2\"},\"StopSignal\":\"SIGTERM\",\"ArgsEscaped\":true,\"Health"
	"check\":{\"Test\":[\"CMD-SHELL\",\"echo hi\"],\"Interval\":5000000000,\"Timeout\""
	":3000000000,\"StartPeriod\":1000000000,\"StartInterval\":2000000000,\"Retri"
	"es\":4},\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/sh\",\"-c\"]},\"created\":\"2026-1"
	"1-21T06:10:43.035876202Z\",\"history\":[{\"created\":\"2026-11-21T06:10:43.0"
	"27561186Z\",\"created_by\":\"LABEL b=2 a=\\u003cx\\u003e\\u0026\",\"comment\":\"b"
	"uildkit.dockerfile.v0\",\"empty_layer\":true},{\"created\":\"2026-11-21T06:1"
	"0:43.027561186Z\",\"created_by\":\"ENV A=1 B=é\",\"comment\":\"buildkit.docker"
	"file.v0\",\"empty_layer\":true},{\"created\":\"2026-11-21T06:10:43.027561186"
	"Z\",\"created_by\":\"COPY Dockerfile / # buildkit\",\"comment\":\"buildkit.doc"
	"kerfile.v0\"},{\"created\":\"2026-11-21T06:10:43.027561186Z\",\"created_by\":"
	"\"EXPOSE [53/udp 80/tcp]\",\"comment\":\"buildkit.dockerfile.v0\",\"empty_lay"
	"er\":true},{\"created\":\"2026-11-21T06:10:43.027561186Z\",\"created_by\":\"VO"
	"LUME [/data /a]\",\"comment\":\"buildkit.dockerfile.v0\",\"empty_layer\":true"
	"},{\"created\":\"2026-11-21T06:10:43.035876202Z\",\"created_by\":\"WORKDIR /w"
	"\",\"comment\":\"buildkit.dockerfile.v0\"},{\"created\":\"2026-11-21T06:10:43."
	"035876202Z\",\"created_by\":\"USER 1:2\",\"comment\":\"buildkit.dockerfile.v0\""
	",\"empty_layer\":true},{\"created\":\"2026-11-21T06:10:43.035876202Z\",\"crea"
	"ted_by\":\"STOPSIGNAL SIGTERM\",\"comment\":\"buildkit.dockerfile.v0\",\"empty"
	"_layer\":true},{\"created\":\"2026-11-21T06:10:43.035876202Z\",\"created_by\""
	":\"HEALTHCHECK \\u0026{[\\\"CMD-SHELL\\\" \\\"echo hi\\\"] \\\"5s\\\" \\\"3s\\\" "
	"\\\"1s\\\" "
	"\\\"2s\\\" '\\\\x04'}\",\"comment\":\"buildkit.dockerfile.v0\",\"empty_layer\":true"
	"},{\"created\":\"2026-11-21T06:10:43.035876202Z\",\"created_by\":\"SHELL [/bi"
	"n/sh -c]\",\"comment\":\"buildkit.dockerfile.v0\",\"empty_layer\":true},{\"cre"
	"ated\":\"2026-11-21T06:10:43.035876202Z\",\"created_by\":\"ENTRYPOINT []\",\"c"
	"omment\":\"buildkit.dockerfile.v0\",\"empty_layer\":true},{\"created\":\"2026-"
	"11-21T06:10:43.035876202Z\",\"created_by\":\"CMD [\\\"a\\\" \\\"b\\\"]\",\"comment\":"
	"\"buildkit.dockerfile.v0\",\"empty_layer\":true},{\"created\":\"2026-11-21T06"
	":10:43.035876202Z\",\"created_by\":\"MAINTAINER joe\",\"comment\":\"buildkit.d"
	"ockerfile.v0\",\"empty_layer\":true}],\"os\":\"linux\",\"rootfs\":{\"type\":\"laye"
	"rs\",\"diff_ids\":[\"sha256:b4d78f7143d8d05e36c85f9c4e3852fb85e61ceac6b7b8"
	"a44be5f2845b848c95\",\"sha256:80234acec551d72e65a8842245f3d68357a5aa0fec"
	"0df839e7da7ea2627d2124\"]}}";

static void encode_is(const struct image_config *cfg, const char *expected)
{
	AUTO(buf) struct buf text = BUF_INIT;

	image_config_encode(cfg, &text);
	assert_string_equal(buf_str(&text), expected);
}

static void buildkit_config_comes_back_byte_for_byte(void **state)
{
	struct image_config cfg = IMAGE_CONFIG_INIT;
	struct image_config copy = IMAGE_CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		image_config_decode(buildkit_config, strlen(buildkit_config), &cfg, &err), 0);
	encode_is(&cfg, buildkit_config);
	image_config_copy(&cfg, &copy);
	image_config_clear(&cfg);
	encode_is(&copy, buildkit_config);
	assert_string_equal(copy.user, "1:2");
	assert_int_equal(copy.healthcheck.interval, 5000000000);
	assert_int_equal(copy.diff_ids.n, 2);
	assert_false(copy.has_entrypoint);
	assert_true(copy.has_cmd);
	image_config_clear(&copy);
}

static void small_config(void **state)
{
	struct image_config cfg = IMAGE_CONFIG_INIT;
	json_t *shown;
	AUTO(buf) struct buf text = BUF_INIT;

	(void)state;
	cfg.platform.os = mem_strdup("linux");
	cfg.platform.architecture = mem_strdup("arm64");
	image_config_add_set(&cfg.exposed_ports, "80/tcp");
	image_config_add_set(&cfg.exposed_ports, "53/udp");
	image_config_add_set(&cfg.exposed_ports, "80/tcp");
	image_config_label(&cfg, "b", "\xff");
	image_config_label(&cfg, "a", "x");
	cfg.has_cmd = true;
	encode_is(&cfg,
		  "{\"architecture\":\"arm64\",\"config\":{\"ExposedPorts\":{\"53/udp\":{},"
		  "\"80/tcp\":{}},\"Labels\":{\"a\":\"x\",\"b\":\"\\ufffd\"}},\"os\":\"linux\","
		  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
	shown = image_config_inspect(&cfg);
	json_object_del(shown, "Labels");
	json_text(shown, &text);
	assert_string_equal(buf_str(&text),
			    "{\"Cmd\":null,\"Entrypoint\":null,\"Env\":null,\"ExposedPorts\":{"
			    "\"53/udp\":{},\"80/tcp\":{}},\"OnBuild\":null,\"User\":\"\","
			    "\"Volumes\":null,\"WorkingDir\":\"\"}");
	json_decref(shown);
	image_config_clear(&cfg);
}

static void bad_configs_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"{}",
		"{\"rootfs\":[]}",
		"{\"rootfs\":{\"type\":\"chunks\"}}",
		"{\"rootfs\":{\"diff_ids\":[1]}}",
		"{\"rootfs\":{\"diff_ids\":[\"sha256:12\"]}}",
		"{\"rootfs\":{},\"config\":{\"Env\":[1]}}",
		"{\"rootfs\":{},\"config\":[]}",
		"{\"rootfs\":{},\"config\":{\"Cmd\":\"sh\"}}",
		"{\"rootfs\":{},\"config\":{\"Labels\":{\"a\":1}}}",
		"{\"rootfs\":{},\"created\":\"yesterday\"}",
		"{\"rootfs\":{},\"history\":[1]}",
		"{\"rootfs\":{},\"rootfs\":{}}",
		"{\"rootfs\":{}} x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_config cfg = IMAGE_CONFIG_INIT;
		struct error err = ERROR_INIT;

		if (image_config_decode(bad[i], strlen(bad[i]), &cfg, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(err.message);
		error_clear(&err);
		image_config_clear(&cfg);
	}
}

static void nulls_are_absent(void **state)
{
	static const char text[] =
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null},"
		"\"config\":{\"Env\":null,\"Entrypoint\":[],\"Labels\":null},"
		"\"created\":\"0001-01-01T00:00:00Z\",\"history\":null}";
	struct image_config cfg = IMAGE_CONFIG_INIT;

	(void)state;
	assert_int_equal(image_config_decode(text, strlen(text), &cfg, NULL), 0);
	assert_true(cfg.has_entrypoint);
	assert_false(cfg.has_cmd);
	assert_false(cfg.has_created);
	image_config_clear(&cfg);
}

static void chain_ids(void **state)
{
	struct digest ids[2], chain, expected;

	(void)state;
	digest_of("a", 1, &ids[0]);
	digest_of("b", 1, &ids[1]);
	chain_id_of(ids, 1, &chain);
	assert_true(digest_eq(&chain, &ids[0]));
	chain_id_of(ids, 2, &chain);
	/* printf '%s %s' sha256:ca97… sha256:3e23… | sha256sum */
	assert_true(digest_parse(
		"sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676",
		&expected));
	assert_true(digest_eq(&chain, &expected));
}

#define DIGEST_A "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define CONFIG_A                                   \
	"\"config\":{\"mediaType\":\"application/" \
	"vnd.oci.image.config.v1+json\",\"digest\":\"" DIGEST_A "\",\"size\":12}"

static void manifest_round_trip(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"application/"
		"vnd.oci.image.manifest.v1+json\"," CONFIG_A ",\"layers\":[{\"mediaType\":"
		"\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"" DIGEST_A
		"\",\"size\":3000000000,\"annotations\":{\"a\":\"b\"}}],"
		"\"annotations\":{\"k\":\"v\"}}";
	struct manifest m = MANIFEST_INIT;
	AUTO(buf) struct buf again = BUF_INIT;

	(void)state;
	assert_int_equal(manifest_decode(text, strlen(text), &m, NULL), 0);
	assert_int_equal(media_kind_of(text, strlen(text)), MEDIA_KIND_MANIFEST);
	assert_int_equal(m.layers.items[0].size, 3000000000);
	assert_int_equal(media_kind(m.layers.items[0].media_type), MEDIA_KIND_LAYER);
	manifest_encode(&m, &again);
	assert_string_equal(buf_str(&again), text);
	manifest_clear(&m);
}

static void bad_manifests_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"schemaVersion\":1}",
		"{\"schemaVersion\":2}",
		"{\"schemaVersion\":2,\"config\":null,\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":{},\"layers\":[]}",
		"{\"schemaVersion\":2," CONFIG_A ",\"layers\":{}}",
		"{\"schemaVersion\":2," CONFIG_A ",\"layers\":[null]}",
		"{\"schemaVersion\":2," CONFIG_A ",\"layers\":[],\"manifests\":[]}",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONFIG_A "}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST_A "\",\"size\":-1}}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST_A "\"}}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"md5:1\",\"size\":1}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct manifest m = MANIFEST_INIT;

		if (manifest_decode(bad[i], strlen(bad[i]), &m, NULL) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void too_many_layers_meet_the_limit(void **state)
{
	AUTO(buf) struct buf text = BUF_INIT;
	struct manifest m = MANIFEST_INIT;

	(void)state;
	buf_addstr(&text, "{\"schemaVersion\":2," CONFIG_A ",\"layers\":[");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "%s{\"digest\":\"" DIGEST_A "\",\"size\":1}", i ? "," : "");
	buf_addstr(&text, "]}");
	assert_int_equal(manifest_decode(text.data, text.len, &m, NULL), -ERR_LIMIT);
}

static void add_platform(struct index *x, const char *platform, uint64_t size)
{
	struct descriptor *d = descriptor_list_add(&x->manifests);
	struct digest digest = {{1}};

	descriptor_set(d, MEDIA_OCI_MANIFEST, &digest, size);
	if (!platform)
		return;
	d->has_platform = true;
	if (str_eq(platform, "unknown")) {
		d->platform.os = mem_strdup("unknown");
		d->platform.architecture = mem_strdup("unknown");
	} else {
		assert_int_equal(platform_parse(platform, &d->platform, NULL), 0);
	}
}

static void index_selects_the_best(void **state)
{
	static const struct {
		const char *want;
		uint64_t size;
	} cases[] = {{"linux/amd64", 1}, {"linux/arm/v7", 4}, {"linux/arm/v6", 3},
		     {"linux/arm64", 2}, {"linux/s390x", 0},  {"linux/arm/v5", 0}};
	struct index x = INDEX_INIT, again = INDEX_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(buf) struct buf text2 = BUF_INIT;

	(void)state;
	add_platform(&x, "unknown", 9);
	add_platform(&x, "linux/amd64", 1);
	add_platform(&x, "linux/arm64/v8", 2);
	add_platform(&x, "linux/arm/v6", 3);
	add_platform(&x, "linux/arm/v7", 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(platform) struct platform want = PLATFORM_INIT;
		const struct descriptor *d;

		assert_int_equal(platform_parse(cases[i].want, &want, NULL), 0);
		d = index_select(&x, &want);
		assert_int_equal(d ? d->size : 0, cases[i].size);
	}
	index_encode(&x, &text);
	assert_int_equal(media_kind_of(text.data, text.len), MEDIA_KIND_INDEX);
	assert_int_equal(index_decode(text.data, text.len, &again, NULL), 0);
	index_encode(&again, &text2);
	assert_string_equal(text.data, text2.data);
	index_clear(&x);
	index_clear(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buildkit_config_comes_back_byte_for_byte),
		cmocka_unit_test(small_config),
		cmocka_unit_test(bad_configs_are_refused),
		cmocka_unit_test(nulls_are_absent),
		cmocka_unit_test(chain_ids),
		cmocka_unit_test(manifest_round_trip),
		cmocka_unit_test(bad_manifests_are_refused),
		cmocka_unit_test(too_many_layers_meet_the_limit),
		cmocka_unit_test(index_selects_the_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
