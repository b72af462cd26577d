# HybridOS. `make help` lists what there is.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
PREFIX   ?= /usr/local
FUZZTIME ?= 30s
VULNDB   ?= https://vuln.go.dev
BIN      := bin

# Two test binaries at a time, as CI has two cores.
TESTFLAGS ?= -p 2 -timeout 20m

COMMANDS := ./node/cmd/hosd ./wallet/cmd/hos ./deviceos/cmd/hos-agent ./deviceos/cmd/hos-lock \
	./hbus/cmd/hbusd ./hbus/cmd/hbus ./mqttbridge/cmd/hos-bridge ./testnet/cmd/hos-testnet

# The packages that decide who may do what run under the race detector as well.
RACE := ./chain/codec ./chain/key ./chain/tx ./chain/command ./chain/state/... ./chain/genesis ./chain/proof \
	./chain/light/... ./chain/abci ./p2p/... ./sdk/... ./deviceos/gate ./deviceos/vault ./hbus/... ./mqttbridge/guard

.PHONY: help build demo test bench fuzz lint vuln install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## all programs, into bin/
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags "-s -w" -o $(BIN)/ $(COMMANDS)

demo: build ## the whole journey on real processes, each step proven
	@$(BIN)/hos-testnet demo

test: lint ## the whole test suite
	$(GO) test $(TESTFLAGS) ./...
	$(GO) test $(TESTFLAGS) -race $(RACE)
	@echo "all tests passed"

bench: build ## measure beside the peers, into docs/benchmarks.md
	@if ! PATH="$$PATH:/usr/sbin" command -v mosquitto >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get install -y -q mosquitto || { apt-get update -q && apt-get install -y -q mosquitto; }; fi
	@$(BIN)/hos-testnet bench --out docs/benchmarks.md

fuzz: ## every fuzz target, each for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; done

lint: ## vet and formatting
	$(GO) vet ./...
	@bad="$$(gofmt -l $$(git ls-files '*.go'))"; if [ -n "$$bad" ]; then echo "not formatted:"; echo "$$bad"; exit 1; fi

vuln: ## known vulnerabilities in what we call; VULNDB=file:///dir works offline
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest -db $(VULNDB) ./...

install: build ## programs into PREFIX/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(BIN)/* $(DESTDIR)$(PREFIX)/bin/

clean: ## remove what build made
	rm -rf $(BIN)
