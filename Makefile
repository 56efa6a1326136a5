# make help lists the targets. CI runs the same ones (.ci/run).
prefix  ?= /usr/local
ARCH    ?= x86_64
ARCHES  ?= x86_64 aarch64 armv7 riscv64
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/foster
# A command, because a failure of make's shell function would go unnoticed.
STATIC   = foster=$$(.ci/static $(ARCH)) &&
LINKS   ?= $(shell cat .ci/links)
PLACE    = DESTDIR='$(DESTDIR)' prefix='$(prefix)' LINKS='$(LINKS)' BINARY='$(BINARY)' .ci/place
BENCH    = cargo run -q --release --manifest-path tests/bench/Cargo.toml --
INSTALL  = .ci/install
# These packages are not part of the published crate.
CLONED   = @[ -e tests/$(1)/Cargo.toml ] || { echo "tests/$(1) is not part of the crate: make this in a clone" >&2; exit 1; }
PROVE   := test-fresh test-valgrind test-static test-asan test-arch test-containers test-boot deny fuzz miri msrv

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20
build: ## build the binary for this system: target/release/foster
	cargo build --release
demo: ## watch foster keep a web server running
	@$(INSTALL) demo
	@cargo build -q --release
	@FOSTER=$${CARGO_TARGET_DIR:-target}/release/foster docs/examples/demo.sh
test: ## install what the tests need, and run all that need no other toolchain
	@$(INSTALL) test
	@.ci/test $(TESTS)
test-fresh: ## try the README's commands on a Debian with nothing but rustup's toolchain (as root)
	@$(INSTALL) fresh
	@.ci/fresh
check: ## run before every commit, under a minute: format, lints, the library's tests
	cargo fmt --check
	.ci/lint
	cargo test --lib --test cli --test model
msrv: ## build with the oldest Rust that Cargo.toml promises
	@$(INSTALL) msrv
	CARGO_TARGET_DIR=$(CACHE)/msrv cargo +$$(.ci/msrv) check -q
pure: ## build the library for a target without an operating system
	@$(INSTALL) std
	[ -e "$$(rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ] || PATH=/usr/bin:$$PATH; \
	  RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$(CACHE)/pure cargo check -q --lib \
	  -Z build-std=std,panic_abort --target wasm32-unknown-unknown
test-compat: ## test the contract of tini, dumb-init and catatonit, on foster and on the originals
	@$(INSTALL) test peers
	cargo test --test compat
	$(MAKE) test-theirs
test-theirs: ## test the contract on the originals, bugs included, and the claims about them
	@$(INSTALL) test peers bench
	INIT_UNDER_TEST=theirs cargo test --test compat -- --include-ignored
	cargo test --test docs -- --include-ignored peers
static: ## build the static binary for ARCH: one of x86_64, aarch64, armv7, riscv64
	@$(INSTALL) std zig
	@.ci/static $(ARCH)
test-bench: ## check the format of the benchmark, a separate package, and run its tests
	$(call CLONED,bench)
	cargo fmt --manifest-path tests/bench/Cargo.toml --check
	cargo test -q --manifest-path tests/bench/Cargo.toml
test-static: static ## run tests/system, tests/chaos and tests/compat on the static binary
	@$(INSTALL) test
	$(STATIC) FOSTER_UNDER_TEST="$$foster" cargo test --test system --test chaos
	$(STATIC) INIT_UNDER_TEST="$$foster" cargo test --test compat
test-asan: ## run tests/system and tests/compat on a binary with AddressSanitizer
	@$(INSTALL) test
	.ci/asan
test-valgrind: ## run ordinary commands under valgrind, which has to stay silent
	@$(INSTALL) test valgrind
	cargo test --test system valgrind
test-boot: static ## test foster as the init of a system: a real kernel, in QEMU
	@$(INSTALL) test boot
	$(STATIC) FOSTER_UNDER_TEST="$$foster" cargo test --test boot
test-containers: static ## test foster in real containers: runc, Docker, gVisor (as root)
	@$(INSTALL) test containers
	$(STATIC) FOSTER_UNDER_TEST="$$foster" cargo test --test containers
prove: prove-long $(PROVE) ## run everything that takes minutes: long searches and storms, deliberate bugs, and PROVE
prove-long: static
	@$(INSTALL) test
	FOSTER_DEEPER=1 FOSTER_EVENTS=10000000 FOSTER_SEED=$$(date +%s) \
	  cargo test --profile long --test model -- exhaustive random
	cargo test --test model -- --ignored --nocapture mutants
	CHAOS_SECONDS=60 cargo test --test chaos
	$(STATIC) CHAOS_SECONDS=60 FOSTER_UNDER_TEST="$$foster" cargo test --test chaos storm
fuzz: ## run each fuzz target for FUZZ_SECONDS, a minute by default (installs cargo-fuzz)
	$(call CLONED,fuzz)
	@$(INSTALL) fuzz
	.ci/fuzz
deny: ## check licences, sources, duplicates and advisories of crates (installs cargo-deny)
	@$(INSTALL) deny
	.ci/deny
miri: ## run the library's and the heap's tests in Miri (needs a nightly toolchain)
	@$(INSTALL) miri
	.ci/miri
windows: ## build foster.exe
	@$(INSTALL) std windows
	@.ci/windows
test-windows: ## build foster.exe and run tests/windows on it under Wine
	@$(INSTALL) test std windows wine
	.ci/windows test
order: ## trace the static binary, and write the order of its code (.ci/order; as root)
	@$(INSTALL) std zig
	named=$$(STATIC_NAMES=1 .ci/static) && order=$$(.ci/trace "$$named") && echo "$$order" >.ci/order
size: ## check the size of the static binary, and print what is largest in it
	@$(INSTALL) std zig
	@.ci/size
dist: ## pack the static binaries for ARCHES, with documents, completions and links, and foster.exe
	@$(INSTALL) std zig windows zip
	@.ci/dist $(ARCHES)
deb: ## pack the static binary for ARCH as a package for Debian
	@$(INSTALL) std zig deb
	@.ci/deb $(ARCH)
test-deb: ## install, upgrade and remove that package in a minimal Debian, and run lintian (as root)
	@$(INSTALL) std zig deb lintian fresh
	@.ci/deb test
package: ## pack the crate, and check that it is complete
	@.ci/package
test-arch: ## test the static binaries of the other architectures under qemu-user
	@$(INSTALL) std zig qemu-user
	.ci/arch $(filter-out x86_64,$(ARCHES))
bench: ## compare foster with its peers, and write docs/BENCHMARKS.md (minutes)
	$(call CLONED,bench)
	@$(INSTALL) std zig peers bench
	$(STATIC) peers=$$(.ci/peers) && $(BENCH) --foster "$$foster" --musl "$$peers" --docs docs
bench-check: ## a short comparison, which fails when a ratio is clearly lost
	$(call CLONED,bench)
	@$(INSTALL) std zig peers bench
	$(STATIC) $(BENCH) --foster "$$foster" --check
install: ## build foster and install it with its links (DESTDIR, prefix, LINKS, BINARY)
	@$(PLACE) install
uninstall: ## remove what make install installed (DESTDIR, prefix, LINKS)
	@$(PLACE) uninstall

.PHONY: help build demo test check msrv pure test-compat test-theirs static test-bench test-static test-asan test-valgrind test-boot test-containers prove prove-long fuzz deny miri windows test-windows order size dist \
  test-arch bench bench-check package deb test-deb install uninstall test-fresh
