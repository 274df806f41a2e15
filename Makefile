# SPDX-License-Identifier: Apache-2.0
# A front for meson: `make` leaves the program at build/stave.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
NINJA := ninja $(if $(JOBS),-j $(JOBS))

all: $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD)
	@ln -sfn src/stave $(BUILD)/stave

$(BUILD)/build.ninja:
	@scripts/deps.sh --check build
	@meson setup $(BUILD) --prefix=$(PREFIX)

deps:
	@scripts/deps.sh build run test demo

# The two commands of the README: each installs what is missing.
demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

# The helpers' place is compiled in, so the prefix is the build's too.
install: all
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

asan:
	@scripts/deps.sh build run test
	@test -e build-asan/build.ninja || meson setup build-asan -Dstatic_program=false \
		-Db_sanitize=address,undefined -Db_lundef=false
	@BUILD=build-asan scripts/test.sh unit build_instructions build_cache build_errors \
		run images containers registry registry_copy

tidy: all
	@scripts/deps.sh tools
	@clang-tidy -p $(BUILD) --quiet $$(git ls-files 'src/*.c')

format:
	@scripts/deps.sh tools
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD) build-asan

.PHONY: all deps demo test install asan tidy format clean
