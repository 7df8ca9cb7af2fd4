# Thin: packages, premake, make. What is built and how stands in premake5.lua.
SHELL := /bin/sh
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREMAKE := $(shell command -v premake5 2>/dev/null || echo "premake4 --file=premake5.lua")
PREFIX ?= /usr/local

.PHONY: all release asan fuzz-build demo check crash bench fuzz lint install packages test-packages clean

all: release

packages:
	@sh tests/tools/packages.sh build

test-packages:
	@sh tests/tools/packages.sh test

build/Makefile: FORCE
	@$(PREMAKE) gmake >build-premake.log 2>&1 || { cat build-premake.log; rm -f build-premake.log; exit 1; }
	@rm -f build-premake.log

FORCE:

release: packages build/Makefile
	@$(MAKE) --no-print-directory -C build -j$(JOBS) config=release moontide

asan: test-packages build/Makefile
	@$(MAKE) --no-print-directory -C build -j$(JOBS) config=asan

demo: release
	@sh tests/tools/demo.sh

check: test-packages
	@sh tests/run.sh check

crash: test-packages
	@sh tests/run.sh crash

fuzz: test-packages
	@sh tests/run.sh fuzz

bench: test-packages
	@sh tests/run.sh bench

lint: test-packages
	@sh tests/run.sh lint

install: release
	@$(PREMAKE) install --prefix=$(PREFIX) --destdir=$(DESTDIR)

clean:
	@rm -rf build
