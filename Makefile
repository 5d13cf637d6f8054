# The commands that this project is built, run and tested with.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

PREFIX ?= /usr/local

.PHONY: help run build test check fuzz install bench clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

run: build ## build and start the service; it sends itself a greeting
	bin/messngr serve --greet

build: ## build bin/messngr
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/messngr ./cmd/messngr

test: ## run every test; as root install what they need first
	scripts/test

check: ## gofmt, vet, staticcheck with every check, govulncheck
	scripts/test static lint vuln

fuzz: export FUZZTIME ?= 1m
fuzz: ## fuzz for long: FUZZTIME=10m [PKG=./smb] [FUZZ=FuzzParse]
	PKG='$(PKG)' FUZZ='$(FUZZ)' scripts/test fuzz

install: build ## put the program, manual pages and completion under PREFIX (/usr/local)
	install -D bin/messngr $(DESTDIR)$(PREFIX)/bin/messngr
	bin/messngr man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	bin/messngr completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/messngr

bench: ## measure against real peers and the floor of this machine: [PARTS="datagrams names"]
	go run ./internal/bench $(PARTS)

clean: ## remove what was built
	rm -rf bin
