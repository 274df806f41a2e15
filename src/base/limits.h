/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - the named limit that a size from outside meets before an
 * allocation.  One place, so that they can be read and reasoned about.
 */
#pragma once

#define LIMIT_DOCKERFILE_BYTES (16u << 20)
#define LIMIT_LINE_BYTES       (1u << 20) /* one logical Dockerfile line */
#define LIMIT_EXPANSION_BYTES  (1u << 20) /* one expanded word */
#define LIMIT_EXPANSION_DEPTH  64	  /* nested ${a:-${b:-…}} */
#define LIMIT_IGNORE_BYTES     (4u << 20) /* a .dockerignore file */
#define LIMIT_IGNORE_PATTERNS  20000u
#define LIMIT_STAGES	       1000u
#define LIMIT_INSTRUCTIONS     20000u
#define LIMIT_MANIFEST_BYTES   (4u << 20)
#define LIMIT_CONFIG_BYTES     (8u << 20)
#define LIMIT_JSON_DEPTH       64u
#define LIMIT_YAML_NODES       100000u	   /* of one document, aliases followed */
#define LIMIT_LAYERS	       500u	   /* what overlayfs takes as lower directories */
#define LIMIT_CACHE_RECORDS    100000u	   /* of a build cache that travels */
#define LIMIT_REFERRERS	       4096u	   /* of one manifest */
#define LIMIT_REFERRER_BYTES   (16u << 20) /* of all that is said of them */
#define LIMIT_COPY_DOCUMENTS   4096u	   /* manifests and indexes of one `image copy` */
#define LIMIT_COPY_BYTES       (64u << 20) /* theirs */
#define LIMIT_CONF_BYTES       (1u << 20)  /* a registries.conf, a daemon.json */
#define LIMIT_RUNTIME_LOG      (1u << 20)  /* what another runtime says of one start */
#define LIMIT_HOOKS	       1024u	   /* of one kind, of one container */
#define LIMIT_HOOK_OUTPUT      (64u << 10) /* what is kept of what one prints */
#define LIMIT_HISTORY	       10000u
#define LIMIT_DIR_ENTRIES      4000000u
#define LIMIT_TREE_DEPTH       4096u
#define LIMIT_LINK_BYTES       4096u
#define LIMIT_XATTR_BYTES      (64u << 10) /* one value; also the list of names */
#define LIMIT_TAR_ENTRIES      10000000u
#define LIMIT_TAR_PATH_BYTES   (64u << 10)
#define LIMIT_PASSWD_BYTES     (1u << 20)
#define LIMIT_PACKAGES_BYTES   (64u << 20) /* one file of a package database */
#define LIMIT_PACKAGES	       100000u
#define LIMIT_ENV_FILE_BYTES   (1u << 20)
#define LIMIT_ARCHIVE_BYTES    (1ull << 40)   /* what one ADD or import may unpack to */
#define LIMIT_WIRE_BYTES       (16u << 20)    /* a message between our own processes */
#define LIMIT_SECRET_BYTES     (500u << 10)   /* a --secret */
#define LIMIT_HISTORY_BUILDS   200u	      /* records of builds that are kept */
#define LIMIT_HISTORY_BYTES    (256ull << 20) /* of records, logs and file lists together */
#define LIMIT_HISTORY_RECORD   (32u << 20)    /* one record of a build */
#define LIMIT_HISTORY_FILES    (16u << 20)    /* one list of the files of a COPY */
#define LIMIT_HISTORY_TEXT     (16u << 10)   /* one value in a record: an instruction, a fact */
#define LIMIT_VOLUME_NAME      200u	     /* letters; its directory needs a few more */
#define LIMIT_DOWNLOAD_BYTES   (16ull << 30) /* what one URL may give */
#define LIMIT_DEVICES	       1024u	     /* of one --gpus */
#define LIMIT_DEVICE_DEPTH     16u	     /* directories below --device /dev/dir */
