/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - SHA-256, and the digest as a value.
 *
 * The text form is "sha256:" and 64 lower-case hex digits (OCI image-spec
 * v1.1, descriptor.md, "Digests"); hex alone names files.
 */
#pragma once

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE	 32
#define DIGEST_HEX_SIZE	 65 /* with NUL */
#define DIGEST_TEXT_SIZE 72 /* "sha256:" + hex + NUL */

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

struct hasher {
	struct sha256_ctx ctx;
};

void hasher_init(struct hasher *h);
void hasher_add(struct hasher *h, const void *data, size_t len);
/* Length-prefixed, so that no two lists of fields collide; NULL differs from "". */
void hasher_add_string(struct hasher *h, const char *s);
void hasher_add_u64(struct hasher *h, uint64_t v);
void hasher_end(struct hasher *h, struct digest *out);

/*
 * A hasher beside the caller: on another processor, while this one reads and writes.  The
 * bytes that were added stay as they are until the next call returns: use two buffers in
 * turn.  Where there is one processor, and for a single piece, it is a plain hasher.
 */
struct hash_aside;
struct hash_aside *hash_aside_new(void);
void hash_aside_add(struct hash_aside *h, const void *data, size_t len);
void hash_aside_end(struct hash_aside *h, struct digest *out);
void hash_aside_free(struct hash_aside *h);

static inline void hash_aside_auto(struct hash_aside **h)
{
	hash_aside_free(*h);
}

void digest_of(const void *data, size_t len, struct digest *out);
bool digest_eq(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
/* Both return @out. */
const char *digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE]);
const char *digest_text(const struct digest *d, char out[DIGEST_TEXT_SIZE]);
/* Accepts "sha256:<64 hex>" only, respectively 64 hex digits. */
bool digest_parse(const char *text, struct digest *out);
bool digest_parse_hex(const char *hex, struct digest *out);

/* 32 lower-case hex digits of kernel randomness into @out[33]. */
void random_hex(char *out, size_t digits);
