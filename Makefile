# Thin: packages, premake, make. What is built and how stands in premake5.lua.
SHELL := /bin/sh
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
PREMAKE = $$(command -v premake5 2>/dev/null || echo premake4) --file=premake5.lua
# A job server that is there already decides how much runs at once.
BUILD = $(MAKE) --no-print-directory -C build $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: all release asan demo check crash fuzz soak bench lint retention-proof docs install packages test-packages generate clean

all: release

packages:
	@sh tests/tools/packages.sh build

test-packages: packages
	@sh tests/tools/packages.sh test

generate: packages
	@sh tests/tools/generate.sh "$(PREMAKE)"

release: generate
	@$(BUILD) config=release moontide

asan: generate
	@$(BUILD) config=asan moontide

demo: release
	@sh tests/tools/demo.sh

check crash fuzz soak bench lint retention-proof: test-packages
	@sh tests/run.sh $@

# What is generated from the API records and kept in the repository.
docs: packages
	@lua5.4 lua/api/tools/records.lua manual >docs/lua.md
	@lua5.4 lua/api/tools/records.lua meta >lua/meta/moontide.lua

install: release
	@$(PREMAKE) --prefix="$(PREFIX)" $(if $(DESTDIR),--destdir="$(DESTDIR)") install

clean:
	@rm -rf build
