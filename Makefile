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
	./chain/light/... ./chain/abci ./chain/store/... ./p2p/... ./sdk/... ./deviceos/gate ./deviceos/vault ./hbus/... ./mqttbridge/guard ./node/api ./node/box

# Their tests build the programs or read the tree, which the test cache of Go
# does not see: they run each time, when nothing else does.
AFRESH := deviceos/agent|testnet/arch|testnet/e2e

.PHONY: help build demo test soak web chromium bench fuzz lint vuln install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## all programs, into bin/
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags "-s -w" -o $(BIN)/ $(COMMANDS)

demo: build ## the whole journey on real processes, each step proven
	@$(BIN)/hos-testnet demo

test: lint chromium web ## the whole test suite
	@all="$$($(GO) list ./...)"; \
		$(GO) test $(TESTFLAGS) $$(grep -vE '/($(AFRESH))$$' <<<"$$all"); \
		$(GO) test $(TESTFLAGS) -count=1 $$(grep -E '/($(AFRESH))$$' <<<"$$all")
	$(GO) test $(TESTFLAGS) -race $(RACE)
	@echo "all tests passed"

soak: ## the hostile, crash and rot tests of make test with many more rounds, for hours; SEED=n plays a history again
	HOS_HOSTILE=10000 HOS_SEED=$(SEED) $(GO) test -timeout 1h -count=1 -v -run '^TestHostile$$' ./testnet/adversary
	HOS_SOAK=1 $(GO) test -timeout 4h -count=1 -v -run '^(TestCrash|TestRot)$$' ./testnet/e2e

web: ## the JavaScript SDK and the phone page: types, tests, and that the committed bundle is what a build gives
	cd sdk/js && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check && npm test --silent && npm run --silent build:check

chromium: # for the tests that drive the phone page
	@if ! command -v chromium chromium-browser google-chrome >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get install -y -q chromium || { apt-get update -q && apt-get install -y -q chromium; }; fi

bench: build chromium ## measure beside the peers, into docs/benchmarks.md
	@if ! PATH="$$PATH:/usr/sbin" command -v mosquitto >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get install -y -q mosquitto || { apt-get update -q && apt-get install -y -q mosquitto; }; fi
	@$(BIN)/hos-testnet bench --bin-dir $(BIN) --out docs/benchmarks.md

fuzz: ## every fuzz target, each for FUZZTIME (make fuzz FUZZTIME=10m); ends with a summary, and fails if one has found something
	@n=0; found=(); for pkg in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u); do \
		for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do \
			n=$$((n + 1)); echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s "$$pkg" </dev/null || found+=("$$pkg $$target"); \
		done; \
	done; \
	echo "$$n fuzz targets, each for $(FUZZTIME): $${#found[@]} with a finding"; \
	[ "$$n" -gt 0 ] && { [ "$${#found[@]}" = 0 ] || { printf '  %s\n' "$${found[@]}"; exit 1; }; }

lint: ## vet and formatting
	$(GO) vet ./...
	@bad="$$("$$($(GO) env GOROOT)/bin/gofmt" -l .)"; if [ -n "$$bad" ]; then echo "not formatted:"; echo "$$bad"; exit 1; fi

vuln: ## known vulnerabilities in what we call; VULNDB=file:///dir works offline
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest -db $(VULNDB) ./...

install: build ## programs into PREFIX/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(BIN)/* $(DESTDIR)$(PREFIX)/bin/

clean: ## remove what build made
	rm -rf $(BIN)
