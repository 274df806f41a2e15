/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile_parser - what the parts of the parser share.
 */
#pragma once

#include "dockerfile/dockerfile.h"

struct piece_list {
	struct text_piece *items;
	size_t n;
	size_t cap;
};

struct parser {
	struct arena *arena; /* borrowed: the tree's */
	const char *name;    /* of the file, for messages */
	char escape;
	const char *begin; /* of the text */
	const char *at;	   /* the unread text */
	const char *end;   /* of the text */
	unsigned line;	   /* number of the last physical line read */
	bool escape_given;
	bool shebang; /* the first line began with "#!" */
	bool fatal;   /* the error is one that Docker sees in ONBUILD triggers too */

	/* warnings; NULL list means that nobody wants them (inner instructions) */
	struct warning_list *warnings;

	struct strlist comments; /* lines above the next instruction */

	struct piece_list pieces; /* of the logical line at work */
	size_t origin;		  /* where the instruction's text begins in it */
};

struct warning_list {
	struct dockerfile_warning *items; /* strings belong to the arena */
	size_t n;
	size_t cap;
};

/* parse.c */

/* Reads one physical line, without its end; false at the end of the text. */
bool parser_read_line(struct parser *p, const char **out, size_t *out_len);
/* Sets the message, file and line; returns -ERR_INVALID. */
int parser_fail(const struct parser *p, unsigned line, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, with the place of @at, which points into @i's text. */
int parser_fail_in(const struct parser *p, const struct instruction *i, const char *at,
		   struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
const char *const *parser_keep(struct parser *p, const struct strlist *l);

/* instruction.c */

/*
 * Parses the logical line @text (trimmed; a copy is made) that begins at
 * @line, and reads the heredocs that follow it.  @inner: an ONBUILD trigger.
 */
int instruction_parse(struct parser *p, const char *text, unsigned line, bool inner,
		      struct instruction **out, struct error *err);

/* flags.c */

/*
 * Takes the "--flags" off the front of *rest, which is moved on, and checks
 * them against those that @kind allows.
 */
int flags_parse(struct parser *p, char **rest, struct instruction *i, struct error *err);
/* What follows the flags, whatever they are. */
char *flags_skip(char escape, char *rest);

/* words.c, json_words.c */

/* ASCII's white space: what separates words. */
bool word_space(char c);
/* Unicode's, as below: what is taken off the ends. */
char *word_skip_space(const char *s);
/* Takes white space off the end, in place. */
void word_trim_end(char *s);
/* Splits at ASCII's white space and nothing else: quotes mean nothing here. */
void words_split(const char *s, struct strlist *out);
/* Splits at white space (Unicode's) outside quotes; quotes and escapes stay in the words. */
void words_quoted(const char *s, char escape, struct strlist *out);

enum words_json {
	WORDS_NOT_JSON,
	WORDS_JSON,
	WORDS_NOT_STRINGS, /* an array, but not of strings */
	WORDS_ZERO,	   /* a string has a zero byte, which is in no argument */
};
/*
 * A JSON array that is the whole of @s, or has only a comment (" # …")
 * behind it: then *out_comment points to its '#', else it is NULL.
 */
enum words_json words_json(const char *s, struct strlist *out, const char **out_comment);

/*
 * The first word, after at least @after words, that begins with '#' (@whole:
 * that is "#").  NULL if there is none.
 */
char *words_find_comment(const char *s, size_t after, bool whole);
/* The same among quoted words, after the first: one that begins with '#' and has no '='. */
char *words_find_pair_comment(const char *s, char escape);

/* expand.c */

enum {
	RAW_QUOTES = 1, /* quotes stay in the words */
	RAW_ESCAPES = 2,
};
/* As dockerfile_expand_split() where no variable is set, and "$V" stays as it is written. */
int expand_raw_words(const char *text, unsigned keep, struct strlist *out, struct error *err);
/* Appends the value of @word where no variable is set; false if it is none. */
bool expand_nothing(const char *word, char escape, struct buf *out);

/* heredoc.c */

/* *out_is: is @word one that asks for a heredoc?  Then *out is filled, but for the content. */
int heredoc_word(struct arena *a, const char *word, struct heredoc *out, bool *out_is,
		 struct error *err);
/* Reads the heredocs that @text, a part of @i's, asks for; @trigger (may be NULL) gets them as
 * written. */
int heredocs_read(struct parser *p, const char *text, struct instruction *i,
		  struct buf *trigger, struct error *err);

/* rune.c: text as code points; a byte that is no UTF-8 counts as one of its own. */

/* Bytes of the character at @s (not empty), which goes to *out. */
size_t rune_at(const char *s, uint32_t *out);
/* Appends @c; a number from rune_at() that is no code point is its byte. */
void rune_put(struct buf *out, uint32_t c);
/* Bytes of the UTF-8 character at @s, 0 if it is none (RFC 3629). */
size_t rune_valid(const char *s);
/* Bytes of the white space character (Unicode's) at @s, 0 if it is something else. */
size_t rune_space(const char *s);
/* Letters of variable names; approximate outside ASCII: no spaces, no symbols. */
bool rune_is_letter(uint32_t c);
/*
 * The class "[a-z]" that begins at @p: returns what follows it, NULL if it is
 * malformed; *out_match tells whether @c is in it.
 */
const char *rune_class(const char *p, uint32_t c, bool *out_match);

/* pattern.c */

/* Work of one expansion: characters compared and bytes produced. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define LIMIT_PATTERN_STEPS (4u << 10) /* what is slow on purpose would be all it finds */
#else
#define LIMIT_PATTERN_STEPS (16u << 20)
#endif

enum pattern_side {
	PATTERN_PREFIX,
	PATTERN_SUFFIX,
};
/* ${V#p} and ${V%p}: appends the rest of @value.  @steps is what may still be spent. */
int pattern_trim(const char *pattern, const char *value, enum pattern_side side, bool longest,
		 uint64_t *steps, struct buf *out, struct error *err);
/* ${V/p/r}: appends @value with the first (@all: every) match of @pattern replaced. */
int pattern_replace(const char *pattern, const char *replacement, const char *value, bool all,
		    uint64_t *steps, struct buf *out, struct error *err);

/* warn.c */

/*
 * @about gives rule, line, and what of fix and mark there is; its strings are
 * copied.  The message is formatted.
 */
void warn(struct parser *p, const struct dockerfile_warning *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Remarks on one instruction by itself. */
void warn_instruction(struct parser *p, const struct instruction *i);
/* Remarks on a FROM line; the name is still as written in the instruction's words. */
void warn_from(struct parser *p, const struct dockerfile *d, const struct stage *s);
/* Remarks that need the whole tree. */
void warn_tree(struct parser *p, struct dockerfile *d);
/* Gives the remarks to the tree, with their marks, and sorted. */
void warn_end(struct parser *p, struct dockerfile *d);

/* warn_run.c: remarks on what the commands of a stage do */

void warn_commands(struct parser *p, const struct stage *s);
