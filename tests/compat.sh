#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The images that stave and Docker make of the same Dockerfiles are the same.
# Skips, and says so, where no Docker answers.
exec "$(dirname "$0")/compat/run" "$@"
