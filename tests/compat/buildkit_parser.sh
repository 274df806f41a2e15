#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# buildkit_parser.sh [-v] [CHECKOUT]: compares the reader of Dockerfiles with what
# BuildKit's own tests expect of theirs, and prints a score.
#
# CHECKOUT (default: $STAVE_BUILDKIT_SRC) is one of moby/buildkit; its files are read
# where they are.  PROBE is the program that answers (default:
# build/tests/compat/dockerfile_probe).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
verbose=
[ "${1-}" != -v ] || { verbose=-v && shift; }
checkout=${1:-${STAVE_BUILDKIT_SRC-}}
PROBE=${PROBE:-$here/../../build/tests/compat/dockerfile_probe}
if [ -z "$checkout" ]; then
	echo "skipped: no checkout of moby/buildkit (argument or STAVE_BUILDKIT_SRC)"
	exit 0
fi
[ -d "$checkout/frontend/dockerfile/parser/testfiles" ] || {
	echo "$checkout is no checkout of moby/buildkit" >&2
	exit 2
}
[ -x "$PROBE" ] || {
	echo "there is no $PROBE: build first, or set PROBE" >&2
	exit 2
}
exec python3 "$here/buildkit_parser.py" $verbose "$PROBE" "$checkout/frontend/dockerfile"
