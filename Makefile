# piopiyd: the two commands a newcomer needs are `go run ./cmd/piopiyd` and `make test`.

GO ?= go
FUZZTIME ?= 10s
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help build programs test race vet lint fmt fuzz bench check clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 12

build: ## build bin/piopiyd
	$(GO) build -trimpath -ldflags '-s -w' -o bin/piopiyd ./cmd/piopiyd

programs: ## install the SIP programs that the tests use, where possible (NO_INSTALL=1: not)
	@sh tools/programs.sh

test: programs ## run the tests
	$(GO) test -timeout 30m ./...

race: programs ## run the tests under the race detector, the long ones shortened
	$(GO) test -race -short -timeout 30m ./...

vet: ## vet
	$(GO) vet ./...

lint: ## check format, modules and style
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod verify >/dev/null
	$(LINT) run ./...

fmt: ## format
	gofmt -w $$(git ls-files '*.go')

fuzz: ## run every fuzz target for FUZZTIME
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

bench: ## measure piopiyd beside its peers; prints ratios (needs Node for the peers, SIPp for the phones)
	$(GO) run ./bench

check: vet lint test race ## everything CI runs but the fuzzing

clean: ## remove what was built
	rm -rf bin
