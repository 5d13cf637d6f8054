# The commands that this project is built, run and tested with.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help run build test check fuzz bench clean

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

bench: ## measure against real peers and the floor of this machine
	go run ./internal/bench

clean: ## remove what was built
	rm -rf bin
