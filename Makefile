# Two commands: `make run` shows the whole thing working, `make test` proves it. Each does its own set-up.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.SUFFIXES:

ARCH := $(shell uname -m)
RID  := linux-$(subst aarch64,arm64,$(subst x86_64,x64,$(ARCH)))

# No build server stays behind, and the tool sends nothing anywhere.
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1
export DOTNET_CLI_USE_MSBUILD_SERVER = 0
export MSBUILDDISABLENODEREUSE = 1
export UseSharedCompilation = false

# Nor a temporary file outside of the repository.
export TMPDIR = $(CURDIR)/out/tmp
$(shell mkdir -p out/tmp)

DOTNET_FLAGS = --verbosity quiet -nodeReuse:false
SETTINGS     = Directory.Build.props Directory.Packages.props .editorconfig global.json
SHARED       = $(shell find engine -name '*.cs' -o -name '*.csproj')
DNS          = $(shell find dns -name '*.cs' -o -name '*.csproj')
BENCH        = $(shell find bench -name '*.cs' -o -name '*.csproj')
VAES-x86_64  = out/native/cookiexdp.vaes.o out/native/libcookiexdp_vaes.so
NATIVE       = $(VAES-$(ARCH))

.PHONY: all
all: out/cookiexdp out/cookiexdp-dns ## build both programs (the default)

out/native/cookiexdp.bpf.o: native/cookiexdp.bpf.c native/cookiexdp.bpf.h | build-prerequisites
	@mkdir -p $(@D)
	clang -O2 -g -Wall -Wextra -Werror -target bpf -I/usr/include/$(ARCH)-linux-gnu -c $< -o $@.new
	llvm-strip -g $@.new
	@mv $@.new $@

out/native/cookiexdp.vaes.o: native/cookiexdp.vaes.c | build-prerequisites
	@mkdir -p $(@D)
	gcc -O2 -Wall -Wextra -Werror -fPIC -c $< -o $@

out/native/libcookiexdp_vaes.so: out/native/cookiexdp.vaes.o
	gcc -shared $< -o $@

out/cookiexdp: out/native/cookiexdp.bpf.o $(NATIVE) $(SHARED) $(SETTINGS) | build-prerequisites
	dotnet publish engine/CookieXdp.Engine -c Release -r $(RID) $(DOTNET_FLAGS) -o out/publish/cookiexdp
	@cp out/publish/cookiexdp/cookiexdp $@.new && mv $@.new $@

out/cookiexdp-dns: $(NATIVE) $(SHARED) $(DNS) $(SETTINGS) | build-prerequisites
	dotnet publish dns/CookieXdp.Dns -c Release -r $(RID) $(DOTNET_FLAGS) -o out/publish/cookiexdp-dns
	@cp out/publish/cookiexdp-dns/cookiexdp-dns $@.new && mv $@.new $@

out/cookiexdp-bench: $(NATIVE) $(SHARED) $(BENCH) $(SETTINGS) | build-prerequisites
	dotnet publish bench/CookieXdp.Bench -c Release -r $(RID) $(DOTNET_FLAGS) -o out/publish/cookiexdp-bench
	@cp out/publish/cookiexdp-bench/cookiexdp-bench $@.new && mv $@.new $@

.PHONY: run
run: all run-prerequisites ## deliver one real mail through a cookie, in namespaces (KEEP=1: stay up for a look)
	@dotnet msbuild tests/CookieXdp.Story -restore -p:Configuration=Release $(DOTNET_FLAGS)
	@tests/lab.sh out/build/bin/CookieXdp.Story/release/CookieXdp.Story

.PHONY: test
test: all out/cookiexdp-bench run-prerequisites ## run all tests
	@tests/run.sh

.PHONY: bench
bench: out/cookiexdp-bench ## measure opening and minting: a table, and out/bench.json with every sample
	out/cookiexdp-bench --json out/bench.json

.PHONY: bench-gate
bench-gate: out/cookiexdp-bench ## the same in short; fails where a row allocates or falls under its floor (bench/floors.json)
	out/cookiexdp-bench --passes 10 --rounds 2 --floors bench/floors.json

.PHONY: test-arm
test-arm: ## run the tests of the cookie's ARM code, with its AES instructions, in an emulator
	@tests/arm.sh

.PHONY: clean
clean: ## remove everything built
	rm -rf out

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Packages are named, and installed where that is allowed: as root or with YES=1 at once, else after asking.
.PHONY: build-prerequisites run-prerequisites
build-prerequisites run-prerequisites:
	@.ci/prerequisites.sh $(@:-prerequisites=)
