# The few commands that people type; meson and ninja do the work. `make help` lists them.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 20
SETUP = meson setup --wipe
.DEFAULT_GOAL := help
.PHONY: help build demo run install test unit asan tsan lint format fuzz bench v2 clean deps

help:  ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1	/p' Makefile | expand -t 18

deps:
	@tools/install-deps build

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) --prefix $(PREFIX) >/dev/null

build: deps $(BUILD)/build.ninja  ## build everything into build/
	@ninja -C $(BUILD) --quiet

demo: build  ## the main job on real input: create functions, invoke them, show answer, times and log
	@tools/install-deps demo
	@tools/demo $(BUILD)

run: build  ## start lambkin in the foreground on port 4566
	@exec $(BUILD)/lambkin serve

install: build  ## install into PREFIX (/usr/local) below DESTDIR
	@meson configure $(BUILD) --prefix $(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

test:  ## install what tests need, then run all of them
	@tools/install-deps build test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=enabled
	@ninja -C $(BUILD) --quiet
	@tools/run-tests $(BUILD)

unit: build  ## unit tests alone
	@meson test -C $(BUILD) --print-errorlogs

build-asan/build.ninja: | deps
	@tools/install-deps test
	@meson setup build-asan -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false -Db_lto=false >/dev/null

# Of those left out the daemon sees no more than of the languages and clients that remain.
ASAN_TESTS ?= $(filter-out $(addprefix tests/accept/,awscli.test.js dotnet.test.js examples.test.js sdks.test.js),$(wildcard tests/accept/*.test.js))

asan: build-asan/build.ninja  ## unit and acceptance tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/install-deps build test
	@ninja -C build-asan --quiet
	@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 meson test -C build-asan --print-errorlogs -t 4 --no-suite cgroups
	@# No leak check of the daemon: it lets nobody trace it. A small quarantine, as tests bound its memory.
	@ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=4 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  LAMBKIN_BUILD=$(CURDIR)/build-asan LAMBKIN_LANGUAGES='python nodejs bash' \
	  tests/accept/run $(ASAN_TESTS)

build-tsan/build.ninja: | deps
	@meson setup build-tsan -Db_sanitize=thread -Db_lundef=false -Db_lto=false >/dev/null

tsan: build-tsan/build.ninja  ## the store's tests under ThreadSanitizer
	@tools/install-deps build test
	@ninja -C build-tsan --quiet
	@meson test -C build-tsan --print-errorlogs -t 8 --suite lambkin 'store/*'

lint: build  ## formatting, include rules, clang-tidy
	@tools/install-deps build lint
	@tools/lint $(BUILD)

format:  ## clang-format over all C
	@tools/install-deps lint
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

build-fuzz/build.ninja: | deps
	@CC=clang-14 meson setup build-fuzz -Dfuzz=true -Dtests=disabled -Db_sanitize=address,undefined -Db_lundef=false -Db_lto=false >/dev/null

fuzz:  ## replay every corpus, then fuzz each target for FUZZ_SECONDS (20)
	@tools/install-deps build fuzz
	@$(MAKE) --no-print-directory build-fuzz/build.ninja
	@ninja -C build-fuzz --quiet
	@tests/fuzz/run build-fuzz $(FUZZ_SECONDS)

build-bench/build.ninja: | deps
	@meson setup build-bench -Dbench=true -Dtests=disabled >/dev/null

bench: build-bench/build.ninja  ## lambkin beside a bare relay and its peers: a table, and bench/out/bench.json
	@tools/install-deps build bench
	@ninja -C build-bench --quiet
	@bench/run --build build-bench

v2: build  ## the cgroup v2 code on a Debian kernel under qemu
	@tools/install-deps build v2
	@tests/v2/run $(BUILD)

clean:  ## remove all build folders
	@rm -rf build build-asan build-tsan build-fuzz build-bench
