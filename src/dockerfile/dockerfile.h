/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile - the text of a Dockerfile as a tree, its expansion rules, and
 * the patterns of .dockerignore.  Bytes in, trees out, no I/O.
 *
 * Words of this module:
 *
 *   directive    "# syntax=", "# escape=", "# check=" at the very top
 *   instruction  one logical line (continuations joined) and its heredocs
 *   stage        FROM and what follows it up to the next FROM
 *   global ARG   an ARG before the first FROM, visible in FROM lines only
 *   word         argument text as written: quotes, escapes and $ not touched
 *
 * The tree keeps words unexpanded, because their value depends on the stage's
 * environment at that point; dockerfile_expand() does it later.
 *
 * Behaviour follows the Dockerfile reference and BuildKit's built-in frontend;
 * the one deliberate difference is the trailing comment, see TrailingComment
 * below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/strlist.h"

enum instruction_kind {
	INSTRUCTION_NONE = 0,
	INSTRUCTION_FROM,
	INSTRUCTION_RUN,
	INSTRUCTION_COPY,
	INSTRUCTION_ADD,
	INSTRUCTION_ENV,
	INSTRUCTION_ARG,
	INSTRUCTION_WORKDIR,
	INSTRUCTION_USER,
	INSTRUCTION_LABEL,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_VOLUME,
	INSTRUCTION_CMD,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_MAINTAINER,
	INSTRUCTION_KINDS, /* how many there are */
};

enum instruction_form {
	FORM_WORDS = 0, /* a list of words, pairs or one string: not a command */
	FORM_SHELL,	/* one string for the stage's shell: args[0], or no args when empty */
	FORM_EXEC,	/* a JSON array of strings; never expanded for commands */
};

/* A switch is "true" or "false"; everything else is the text after "=", as written. */
struct instruction_flag {
	const char *name; /* without "--" */
	const char *value;
};

/* ENV, LABEL, ARG.  Quotes are still in both; both are expanded. */
struct instruction_pair {
	const char *key;
	const char *value; /* NULL: "ARG name" without a default */
};

struct heredoc {
	const char *name;    /* the terminator, which is COPY's file name as well */
	const char *word;    /* the word that asked for it, e.g. <<-"EOF" */
	const char *content; /* with its line ends; leading tabs already taken off after <<- */
	size_t len;
	const char *raw; /* with the tabs: what a shell that reads it itself is handed */
	bool expand;	 /* the word had no quotes: COPY and ADD expand (EXPAND_HEREDOC) */
	bool chomp;	 /* <<- */
};

/* HEALTHCHECK: the durations and the count are those given, 0 if not. */
struct healthcheck {
	bool none;
	int64_t interval_ns;
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	uint64_t retries;
};

/* From byte .offset on, a text stands in its file at .line and byte .column, both 1-based. */
struct text_piece {
	size_t offset;
	unsigned line;
	unsigned column;
};

struct instruction {
	enum instruction_kind kind;
	unsigned line;	   /* 1-based */
	unsigned end_line; /* of the last continuation or heredoc line */
	const char *text;  /* logical line, trimmed; trailing comment dropped if it was */
	const struct text_piece *pieces; /* of .text; at least one */
	size_t n_pieces;
	const struct instruction_flag *flags;
	size_t n_flags;
	enum instruction_form form; /* of HEALTHCHECK too: of its command */

	/*
	 * NULL-terminated.  COPY, ADD: sources, then the destination; a heredoc
	 * source is its word (instruction_heredoc() finds it).  RUN, CMD,
	 * ENTRYPOINT, SHELL, HEALTHCHECK CMD: the command, see .form.  EXPOSE,
	 * VOLUME: words.  WORKDIR, USER, STOPSIGNAL, MAINTAINER: the rest of the
	 * line as one.  FROM: the base, then AS and the name if given.  ENV, LABEL, ARG,
	 * ONBUILD: none.
	 */
	const char *const *args;
	size_t n_args;
	const struct instruction_pair *pairs; /* ENV, LABEL, ARG */
	size_t n_pairs;
	const struct heredoc *heredocs; /* RUN, COPY, ADD, in the order of their words */
	size_t n_heredocs;
	const struct healthcheck *health;  /* HEALTHCHECK */
	const char *trigger;		   /* ONBUILD: what the image config stores */
	const struct instruction *onbuild; /* the same, parsed; NULL if it will fail */

	/*
	 * The comment lines above, without "#", NULL-terminated; NULL if there are
	 * none.  "# NAME text" describes the stage or ARG of that name.
	 */
	const char *const *comments;
};

struct instruction_list {
	struct instruction **items;
	size_t n;
};

struct stage {
	unsigned index;	      /* 0-based */
	const char *name;     /* lower-cased; NULL without AS */
	const char *base;     /* word, expanded with global ARGs only */
	const char *platform; /* word of --platform, NULL if not given */
	unsigned line;
	const struct instruction *from;
	struct instruction_list instructions; /* without the FROM */
};

/*
 * A remark on legal text, made by a rule (check_rules()).
 */
struct dockerfile_warning {
	const char *rule;
	unsigned line; /* 1-based, first and last one of the instruction; 0: of no line */
	unsigned end_line;
	const char *message; /* what is doubtful */
	const char *fix;     /* what to write instead; NULL: the message says it */

	/*
	 * The text that is meant and where it begins: a line, and a byte in it,
	 * both 1-based, 0 if it was not found.  NULL: the whole instruction.
	 */
	const char *mark;
	unsigned mark_line;
	unsigned mark_column;
};

struct dockerfile {
	struct arena arena; /* owns everything below */
	const char *name;   /* for messages, as given to dockerfile_parse() */

	/* Directives. */
	const char *syntax; /* NULL if absent */
	char escape;	    /* '\\' or '`' */
	const char *check;  /* raw value for check_config_parse(), NULL if absent */

	struct instruction_list globals; /* ARG before the first FROM */
	struct stage *stages;		 /* at least one */
	size_t n_stages;
	/* Sorted by line; all of them, whatever check= says: see check_wants(). */
	const struct dockerfile_warning *warnings;
	size_t n_warnings;
};

/*
 * Parses @len bytes.  @name is used in messages ("Dockerfile").  On success
 * *out is new (dockerfile_free()).  -ERR_INVALID with file and line set when
 * the text is not a Dockerfile, -ERR_LIMIT beyond LIMIT_DOCKERFILE_BYTES,
 * LIMIT_LINE_BYTES, LIMIT_INSTRUCTIONS, LIMIT_STAGES.
 */
int dockerfile_parse(const char *data, size_t len, const char *name, struct dockerfile **out,
		     struct error *err);
/*
 * The same for whoever wants the warnings in any case: after an error *out has
 * those that were found until then, and no stages.  NULL if the text is too
 * long or has a zero byte.
 */
int dockerfile_read(const char *data, size_t len, const char *name, struct dockerfile **out,
		    struct error *err);
void dockerfile_free(struct dockerfile *d); /* NULL is fine */

static inline void dockerfile_auto(struct dockerfile **d)
{
	dockerfile_free(*d);
}

/*
 * Parses one instruction out of an image's OnBuild list (heredoc lines may
 * follow it) into the caller's arena, where *out lives.  ONBUILD, FROM and
 * MAINTAINER are refused.  @escape is that of the file that builds: '\\' if
 * there is none.
 */
int dockerfile_parse_instruction(const char *text, const char *name, char escape,
				 struct arena *arena, const struct instruction **out,
				 struct error *err);

/* "RUN" */
const char *instruction_name(enum instruction_kind kind);

/* Where byte @offset of the instruction's text stands in the file. */
void instruction_place(const struct instruction *i, size_t offset, unsigned *out_line,
		       unsigned *out_column);
/*
 * Says in @err where @word, as it is written, first stands in the
 * instruction; only the line if it does not.
 */
void instruction_error_at(const struct instruction *i, const char *file, const char *word,
			  struct error *err);

/* The value of a flag, NULL if absent (of the last one if there are several). */
const char *instruction_flag(const struct instruction *i, const char *name);
/* Is the switch given and true? */
bool instruction_switch(const struct instruction *i, const char *name);
/* Appends every value of a flag that may be given several times (mount, exclude). */
void instruction_flag_all(const struct instruction *i, const char *name, struct strlist *out);
/*
 * The heredoc that a source word of COPY or ADD stands for, NULL if it is a path.
 * In the JSON form such a word is an empty file, as in Docker.
 */
const struct heredoc *instruction_heredoc(const struct instruction *i, const char *word);

/*
 * What RUN with heredocs (n_heredocs > 0) hands over.  SCRIPT_SHELL: *out is
 * the text for the stage's shell (the lone heredoc's content, or the command
 * with its heredocs behind it, tabs and all, for the shell to read).  SCRIPT_FILE: *out is
 * the content of a program with its own "#!" line, to be put into a file
 * named heredocs[0].name, made executable and run without the shell.
 */
enum run_script {
	SCRIPT_SHELL,
	SCRIPT_FILE,
};
enum run_script instruction_run_script(const struct instruction *i, struct buf *out);

/* The stage of that name (any case), or with that number as text; NULL if there is none. */
const struct stage *dockerfile_stage(const struct dockerfile *d, const char *name_or_index);

/*
 * The stage that FROM means by @name in the stage with the number @before: the
 * nearest one above of that name (any case), NULL if there is none.
 */
const struct stage *dockerfile_stage_above(const struct dockerfile *d, const char *name,
					   unsigned before);

/* Stable text of the tree, for tests and for `--print`-like output. */
void dockerfile_print(const struct dockerfile *d, struct buf *out);

/* ------------------------------------------------------------------------
 * Checks
 *
 * Rules that Docker's build checks have carry their names and look at the same
 * things (https://docs.docker.com/reference/build-checks/); docs/checks.md
 * describes them all.  Those that need the text only are applied by
 * dockerfile_parse(), the others by who knows the values.
 */
struct check_rule {
	const char *name;
	const char *summary;
	bool experimental; /* speaks when it is asked for only */
	bool stage_only;   /* about what a stage does: silent if the stage is not built */
	bool layer_only; /* about a layer's size: silent if the image does not get the layer */
};

/* All rules, ending with one without a name. */
const struct check_rule *check_rules(void);
/* NULL if there is none of that name. */
const struct check_rule *check_rule(const char *name);

/* What "# check=" or the build argument BUILDKIT_DOCKERFILE_CHECK asks for. */
struct check_config {
	bool skip_all;
	bool experimental_all;
	bool error; /* warnings are errors */
	struct strlist skip;
	struct strlist experimental;
};

/* "skip=A,B;error=true;experimental=C".  @text NULL: nothing is asked for. */
int check_config_parse(const char *text, struct check_config *out, struct error *err);
void check_config_clear(struct check_config *c);
bool check_wants(const struct check_config *c, const char *rule);
/* "# check=skip=A words" in a comment above @i is for that instruction only; false: none. */
bool check_comment(const struct instruction *i, struct check_config *out);

/* Finds the marks in the text of the file, and puts the warnings in the order of its lines. */
void check_arrange(const char *text, size_t len, struct dockerfile_warning *items, size_t n);

/* The rest of the comment "# NAME rest" above @i, NULL if there is none. */
const char *instruction_description(const struct instruction *i, const char *name);

/* The nearest of @names (NULL-terminated) to @word, NULL if none is near; any case. */
const char *nearest_name(const char *word, const char *const *names);

/* ------------------------------------------------------------------------
 * Expansion
 *
 *   $V ${V}           value, or nothing when unset
 *   ${V-w} ${V:-w}    w when unset (":": or empty)
 *   ${V+w} ${V:+w}    w when set (":": and not empty), else nothing
 *   ${V?m} ${V:?m}    error "V: m" when unset (":": or empty)
 *   ${V#p} ${V##p}    without the shortest, longest prefix that matches p (* and ?)
 *   ${V%p} ${V%%p}    the same at the end
 *   ${V/p/r} ${V//p/r}  first, every match of p replaced by r
 *
 * Which instruction expands what, before it is carried out:
 *
 *   FROM         base, --platform           EXPAND_WORD, global ARGs only
 *   ARG          key and default            EXPAND_WORD
 *   ENV, LABEL   keys and values            EXPAND_WORD; all with the environment before
 *                                           the instruction
 *   COPY, ADD    sources, destination, --chown, --chmod, --checksum
 *                                           EXPAND_WORD; --exclude and --from never are
 *                heredoc contents           EXPAND_HEREDOC if .expand
 *   RUN          --mount values             EXPAND_WORD, see dockerfile_parse_mount();
 *                                           the command never is
 *   WORKDIR, USER, VOLUME, STOPSIGNAL       EXPAND_WORD each argument, JSON ones too
 *   EXPOSE       each argument              EXPAND_SPLIT
 *   ONBUILD      when its trigger runs, by the rules of the inner instruction
 *   CMD, ENTRYPOINT, SHELL, HEALTHCHECK, MAINTAINER   nothing
 */

/* NULL when unset.  The string is borrowed until the next call or return. */
typedef const char *dockerfile_lookup(void *data, const char *name, size_t len);

enum expand_mode {
	EXPAND_WORD,	/* quotes and escapes removed; one word */
	EXPAND_HEREDOC, /* quotes are text; '\' escapes, whatever the escape directive says */
	EXPAND_SPLIT,	/* as EXPAND_WORD, and split at unquoted white space */
};

struct expansion {
	char escape;		   /* struct dockerfile .escape; 0 means '\\' */
	dockerfile_lookup *lookup; /* asked once for each use, unset names too */
	void *data;
	/* Told of names that were unset, also where ${V-w} has an answer.  May be NULL. */
	void (*unset)(void *data, const char *name, size_t len);
};

/*
 * Appends the value of @word.  EXPAND_WORD and EXPAND_HEREDOC.  -ERR_INVALID
 * for bad syntax or ${V?m}, -ERR_LIMIT beyond LIMIT_EXPANSION_BYTES or
 * LIMIT_EXPANSION_DEPTH.
 */
int dockerfile_expand(const char *word, enum expand_mode mode, const struct expansion *x,
		      struct buf *out, struct error *err);
/* Appends the words of @word as EXPAND_SPLIT does; empty ones are dropped. */
int dockerfile_expand_split(const char *word, const struct expansion *x, struct strlist *out,
			    struct error *err);

/* ------------------------------------------------------------------------
 * RUN --mount
 *
 * type=bind (or none), cache, tmpfs, secret, ssh; the keys and their errors
 * are those of BuildKit's frontend.
 */
enum run_mount_type {
	RUN_MOUNT_BIND = 0,
	RUN_MOUNT_CACHE,
	RUN_MOUNT_TMPFS,
	RUN_MOUNT_SECRET,
	RUN_MOUNT_SSH,
};

enum run_mount_sharing {
	RUN_MOUNT_SHARED = 0,
	RUN_MOUNT_PRIVATE,
	RUN_MOUNT_LOCKED,
};

/* Strings are owned; NULL: the key was not given (it may be given and empty). */
struct run_mount {
	enum run_mount_type type;
	char *from;    /* stage, named context or image; never of a secret */
	char *source;  /* in .from or the context; of a secret: its id; never of ssh */
	char *target;  /* as written: it may be relative to the working directory, or missing */
	char *id;      /* of a cache, secret or ssh agent */
	char *env;     /* secret: the variable it goes to ("": one named like the secret) */
	bool readonly; /* bind, secret, ssh: unless "rw" */
	bool required; /* secret, ssh: the build fails without it */
	enum run_mount_sharing sharing;	 /* cache */
	uint64_t size;			 /* tmpfs: bytes, 0 without a limit */
	bool has_mode, has_uid, has_gid; /* cache, secret, ssh */
	uint32_t mode, uid, gid;
};

#define RUN_MOUNT_INIT ((struct run_mount){0})

void run_mount_clear(struct run_mount *m);

static inline void run_mount_auto(struct run_mount *m)
{
	run_mount_clear(m);
}

/* "bind" */
const char *run_mount_type_name(enum run_mount_type type);

/*
 * Parses one value of --mount (instruction_flag_all()), as written: the list
 * is split, then each value is expanded with @x, so that a comma in a
 * variable stays in its value.  @x NULL: looks only for what is wrong before
 * any expansion, *out is not touched and may be NULL; the parser has done
 * that.  -ERR_INVALID names key and value.  Not known here, so the caller's:
 * that the target resolves to something else than "/".
 */
int dockerfile_parse_mount(const char *value, const struct expansion *x, struct run_mount *out,
			   struct error *err);

/* ------------------------------------------------------------------------
 * .dockerignore
 *
 * One pattern a line, "#" in the first column is a comment.  Patterns are
 * relative to the context whatever slashes they begin or end with, "**" is
 * any number of directories, "!" takes paths back in, the last match wins,
 * and a match of a parent directory is a match.
 */
struct ignore;

/* @len 0 gives a list that hides nothing.  -ERR_INVALID with line for a bad pattern. */
int ignore_parse(const char *data, size_t len, const char *name, struct ignore **out,
		 struct error *err);
/* Adds one more pattern at the end (COPY --exclude); its line is 0. */
int ignore_add(struct ignore *ig, const char *pattern, struct error *err);
void ignore_free(struct ignore *ig);

static inline void ignore_auto(struct ignore **ig)
{
	ignore_free(*ig);
}

/* Is there a "!" pattern? */
bool ignore_takes_back(const struct ignore *ig);
/* Does one pattern hide whatever lies at the root? */
bool ignore_hides_all(const struct ignore *ig);

/* Is @path (relative, clean, no slash at either end) hidden?  NULL hides nothing. */
bool ignore_match(const struct ignore *ig, const char *path);

struct ignore_rule {
	const char *pattern; /* as written, without white space around; NULL: no rule matched */
	unsigned line;	     /* 1-based, 0 for those of ignore_add() */
	bool negated;
};
/* The rule that decided about @path. */
struct ignore_rule ignore_rule(const struct ignore *ig, const char *path);

/*
 * May something below the hidden directory @dir be taken back in by a "!"
 * pattern?  False allows the walker to leave the directory unread.
 */
bool ignore_may_contain(const struct ignore *ig, const char *dir);

/* ------------------------------------------------------------------------
 * Globs of COPY and ADD sources: '*' and '?' within one component, [a-z],
 * [^a-z], '\' takes the next character as it is (Go's path.Match).
 */

/* A pattern that is malformed matches nothing, see glob_valid(). */
bool glob_match(const char *pattern, const char *name);
bool glob_valid(const char *pattern);
/* Has @text one of * ? [ \ ? */
bool glob_is_pattern(const char *text);
