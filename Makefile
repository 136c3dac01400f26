# SPDX-License-Identifier: GPL-2.0-only
#
# make               build leaktrace into $(BUILD)
# sudo make run      build it and trace the demo server; PID=1234 traces that process
# make help          everything else
#
# Parsing this file needs only sh: tools are called by recipes, so that `make deps` works on a bare system.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
.SECONDARY:

RELEASE = 0.1.0
BUILD ?= .build
PREFIX ?= /usr/local
DESTDIR ?=

# The names make gives these by default (cc, g++) count as not set.
ifneq ($(filter default undefined,$(origin CC)),)
CC = gcc
endif
ifneq ($(filter default undefined,$(origin CXX)),)
CXX = g++
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR = ar
endif
CLANG ?= clang
# The first that runs. Ubuntu's bpftool refuses to when no package matches the running kernel, and then any of the
# installed ones will do here.
BPFTOOLS = bpftool /usr/sbin/bpftool $(wildcard /usr/lib/linux-tools/*/bpftool)
BPFTOOL ?= $(shell for tool in $(BPFTOOLS); do $$tool version >/dev/null 2>&1 && echo $$tool && break; done)
PYTHON ?= /usr/bin/python3

CFLAGS ?= -O2 -g
LDFLAGS ?=
WERROR ?= -Werror

# Lists separated by spaces; a|b means either, the first that the distribution has.
PACKAGES = gcc make pkg-config clang llvm bpftool|linux-tools-generic libbpf-dev libelf-dev libdw-dev libjansson-dev \
	libiberty-dev libcap-dev liblzma-dev zlib1g-dev libzydis-dev
TEST_PACKAGES = $(PACKAGES) g++ binutils musl-tools libcmocka-dev dwz python3 python3-pytest clang-format \
	nginx-light|nginx apache2-utils postgresql sqlite3 xz-utils redis-server redis-tools \
	gdb lld libclang-rt-dev|libfuzzer-14-dev libjemalloc2 libmimalloc2.0|libmimalloc3 \
	libtcmalloc-minimal4|libtcmalloc-minimal4t64 libgoogle-perftools4|libgoogle-perftools4t64 \
	libjemalloc-dev libgoogle-perftools-dev libmimalloc-dev
# For virtual machines with other kernels. Debian 12 has virtiofsd in qemu-system-common.
KERNEL_PACKAGES = qemu-system-x86 virtiofsd|qemu-system-common debian-archive-keyring xz-utils

ifeq ($(V),1)
Q =
msg = @:
else
Q = @
msg = @printf '  %-8s %s\n' $(1) $(patsubst $(CURDIR)/%,%,$(2))
endif

# Flags.

WARN = -Wall -Wextra $(WERROR)
C_STD = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
INCLUDES = -Iuser -Ibpf -I$(BUILD)/gen
# _FORTIFY_SOURCE warns when nothing is optimised, as in make CFLAGS=-O0.
FORTIFY = $(if $(filter -O1 -O2 -O3 -Os -Og -Ofast,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
BPF_FLAGS = -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 $(WARN) -Ivmlinux -Ibpf \
	-I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
USER_FLAGS = $(C_STD) $(WARN) -Wtype-limits -Wshadow $(INCLUDES) -fPIE -fstack-protector-strong $(FORTIFY) $(CFLAGS)
USER_LINK = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(LDFLAGS)
LIBS = -lbpf -lelf -ldw -lZydis -ljansson -liberty -lcap -llzma -lz -lm -lpthread
SAN_FLAGS = $(C_STD) $(WARN) -Wtype-limits -Wshadow $(INCLUDES) -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS = $(C_STD) $(WARN) $(INCLUDES) -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=fuzzer,address,undefined
FUZZ_SECONDS ?= 20
VICTIM_FLAGS = -O0 -g -fno-omit-frame-pointer -pthread -Wall -Wextra

# Files.

# Definitions first: the linker of libbpf 1.1 leaves a map that it met as an extern before at offset 0.
BPF_DEFS = $(wildcard bpf/maps.bpf.c)
BPF_SRC = $(BPF_DEFS) $(filter-out $(BPF_DEFS),$(sort $(wildcard bpf/*.bpf.c)))
BPF_OBJ = $(BPF_SRC:%.c=$(BUILD)/%.o)
USER_SRC = $(sort $(wildcard user/*/*.c))
USER_OBJ = $(USER_SRC:%.c=$(BUILD)/%.o)
SAN_OBJ = $(patsubst %.c,$(BUILD)/san/%.o,$(filter-out user/cli/main.c,$(USER_SRC)))
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*_test.c)))
# Other files in tests/unit are shared by the tests.
UNIT_SHARED = $(patsubst tests/%.c,$(BUILD)/san/tests/%.o,$(filter-out %_test.c,$(wildcard tests/unit/*.c)))
VICTIMS = $(patsubst tests/%,$(BUILD)/%,$(sort $(basename $(wildcard tests/victims/*.c tests/victims/*.cc))))
# One program built in many ways: COMPILER+FLAG+FLAG, with ~ for an equals sign.
STACKS_FLAGS = O0 O1 O2 O3 Os O2+fcf-protection O2+fno-plt O2+fno-asynchronous-unwind-tables+fexceptions
STACKS = $(foreach cc,gcc clang,$(STACKS_FLAGS:%=$(BUILD)/stacks/$(cc)+%)) $(addprefix $(BUILD)/stacks/, \
	gcc+O2+flto clang+O2+flto+fuse-ld~lld gcc+O2+mstackrealign gcc+O2+mpreferred-stack-boundary~5 \
	gcc+O2+fno-omit-frame-pointer $(foreach cc,gcc clang,$(cc)+O2+static) gcc+O2+static-pie \
	musl-gcc+O2 musl-gcc+O2+static)
include tests/victims/allocators.mk
# The tests' own walker of call stacks, to compare with.
GOLDEN_SRC = $(sort $(wildcard tests/golden/*.c))
GOLDEN_OBJ = $(GOLDEN_SRC:%.c=$(BUILD)/%.o)
# What fuzzers reach: the stages that read files of a target.
FUZZ_PROBE = allocator_parse allocator_rules allocator_spec elf_image elf_names elf_pieces exits family family_cxx family_jemalloc \
	family_libc family_mimalloc family_tcmalloc insn jump_table place plan plan_callers plan_exits plan_internal \
	plan_places signs survey
FUZZ_SRC = $(FUZZ_PROBE:%=user/probe/%.c) \
	$(filter user/base/% user/select/% user/unwind/%,$(filter-out user/unwind/spaces.c,$(USER_SRC)))
FUZZ_OBJ = $(FUZZ_SRC:%.c=$(BUILD)/fuzz/%.o)
FUZZ = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
MAN = $(wildcard user/cli/leaktrace.8)

GENERATED = $(BUILD)/gen/version.h $(if $(BPF_SRC),$(BUILD)/gen/leaktrace.skel.h)

.PHONY: all deps test-deps kernel-deps run demo test unit e2e soak test-kernels fuzz bench stacks lint tests-build \
	programs fuzz-programs install uninstall clean help FORCE

##   all          build leaktrace (default)
all: $(BUILD)/leaktrace

# A stamp changes when the commands of its kind do, so that other flags mean a new build.

STAMP_bpf = $(CLANG) $(BPF_FLAGS)
STAMP_user = $(CC) $(USER_FLAGS)
STAMP_link = $(CC) $(USER_LINK) $(LIBS) $(USER_OBJ)
STAMP_san = $(CC) $(SAN_FLAGS) $(SAN_OBJ) $(UNIT_SHARED)
STAMP_fuzz = $(CLANG) $(FUZZ_FLAGS) $(FUZZ_OBJ)
STAMP_victims = $(CC) $(CXX) $(CLANG) $(VICTIM_FLAGS)
STAMP_objects = $(BPFTOOL) $(BPF_OBJ)

quote = '$(subst ','\'',$(1))'
keep_if_same = if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

$(BUILD)/stamp/%: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(STAMP_$*)) >$@.new && $(keep_if_same)

# The git directory is named, not searched for: a tarball unpacked inside some other repository has no revision.
$(BUILD)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@rev=$$(GIT_OPTIONAL_LOCKS=0 git --git-dir=.git describe --always --dirty --exclude='*' 2>/dev/null) || rev=; \
	printf '#pragma once\n#define LEAKTRACE_VERSION "%s"\n' "$(RELEASE)$${rev:++g$$rev}" >$@.new && $(keep_if_same)

# BPF.

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/stamp/bpf
	@mkdir -p $(@D)
	$(call msg,BPF,$<)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

# Not in $(BUILD)/bpf, where a source leaktrace.bpf.c would have its object.
$(BUILD)/gen/leaktrace.bpf.o: $(BPF_OBJ) $(BUILD)/stamp/objects
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJ)

$(BUILD)/gen/leaktrace.skel.h: $(BUILD)/gen/leaktrace.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name leaktrace_bpf >$@.new && mv -f $@.new $@

# User space. What includes a generated header is known only after it was compiled once, hence order-only.

$(BUILD)/user/%.o: user/%.c $(BUILD)/stamp/user | $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC,$<)
	$(Q)$(CC) $(USER_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/leaktrace: $(USER_OBJ) $(BUILD)/stamp/link
	$(call msg,LINK,$@)
	$(Q)$(CC) $(USER_LINK) $(USER_OBJ) $(LIBS) -o $@

# Unit tests: all of user space once more, with sanitizers, as a library, so that a test links what it calls.

UNIT_INCLUDES = $(if $(filter host_%,$(notdir $<)),-Itests/unit/host_bpf)

$(BUILD)/san/%.o: %.c $(BUILD)/stamp/san | $(GENERATED)
	@mkdir -p $(@D)
	$(call msg,CC-SAN,$<)
	$(Q)$(CC) $(UNIT_INCLUDES) $(SAN_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/san/leaktrace.a: $(SAN_OBJ) $(UNIT_SHARED) $(BUILD)/stamp/san
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(SAN_OBJ) $(UNIT_SHARED)

$(BUILD)/unit/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/san/leaktrace.a
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SAN_FLAGS) $^ -lcmocka $(LIBS) -o $@

# golden, which end-to-end tests compare call stacks with: nothing of leaktrace's but user/base.

$(BUILD)/tests/golden/%.o: tests/golden/%.c $(BUILD)/stamp/user
	@mkdir -p $(@D)
	$(call msg,CC,$<)
	$(Q)$(CC) $(USER_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/golden: $(GOLDEN_OBJ) $(BUILD)/stamp/link
	$(call msg,LINK,$@)
	$(Q)$(CC) $(USER_LINK) $(GOLDEN_OBJ) -ldw -lelf -o $@

# A measuring program over the stages themselves.

$(BUILD)/places: tests/bench/places.c $(USER_OBJ) $(BUILD)/stamp/link
	$(call msg,CC,$<)
	$(Q)$(CC) $(USER_FLAGS) $(USER_LINK) $< $(filter-out %/cli/main.o,$(USER_OBJ)) $(LIBS) -o $@

# Fuzzers, by clang. Where that comes without its runtime libraries there are none, and their suite says so.

$(BUILD)/fuzz/%.o: %.c $(BUILD)/stamp/fuzz
	@mkdir -p $(@D)
	$(call msg,CC-FUZZ,$<)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/fuzz.a: $(FUZZ_OBJ) $(BUILD)/stamp/fuzz
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(FUZZ_OBJ)

$(BUILD)/fuzz/%_fuzz: $(BUILD)/fuzz/tests/fuzz/%_fuzz.o $(BUILD)/fuzz/fuzz.a
	$(call msg,LINK,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) $^ $(LIBS) -o $@

fuzz-programs:
	@mkdir -p $(BUILD)/fuzz
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) $(FUZZ_FLAGS) -x c - -o $(BUILD)/fuzz/probe 2>/dev/null; \
	then $(MAKE) --no-print-directory $(FUZZ); else rm -f $(FUZZ); fi

# Victims: programs to trace. A line "// CFLAGS: ...", "// LIBS: ..." or "// CC: ..." near the top of one is its own.

directive = $$(sed -n '1,10s|^// *$(1): *||p' $<)

define build_victim
	@mkdir -p $(@D)
	$(call msg,VICTIM,$<)
	$(Q)cc=$(call directive,CC); \
	$${cc:-$(1)} $(VICTIM_FLAGS) $(call directive,CFLAGS) -MMD -MP -MF $@.d -MT $@ $< -o $@ $(call directive,LIBS)
endef

$(BUILD)/victims/%: tests/victims/%.c $(BUILD)/stamp/victims
	$(call build_victim,$(CC))

$(BUILD)/victims/%: tests/victims/%.cc $(BUILD)/stamp/victims
	$(call build_victim,$(CXX))

compiler = $(or $(if $(filter gcc+%,$*),$(CC)),$(if $(filter clang+%,$*),$(CLANG)),$(firstword $(subst +, ,$*)))

$(BUILD)/stacks/%: tests/victims/stacks_matrix.c $(BUILD)/stamp/victims
	@mkdir -p $(@D)
	$(call msg,VICTIM,$@)
	$(Q)$(compiler) -g -pthread -Wall -Wextra -Wl,-z,lazy $(patsubst %,-%,$(wordlist 2,9,$(subst ~,=,$(subst +, ,$*)))) $< -o $@

-include $(BPF_OBJ:.o=.d) $(USER_OBJ:.o=.d) $(GOLDEN_OBJ:.o=.d) $(SAN_OBJ:.o=.d) $(UNIT_SHARED:.o=.d) $(VICTIMS:=.d)
-include $(FUZZ_OBJ:.o=.d) $(FUZZ:$(BUILD)/fuzz/%=$(BUILD)/fuzz/tests/fuzz/%.d)
-include $(UNIT:$(BUILD)/unit/%=$(BUILD)/san/tests/unit/%.d)

##   deps         install the packages that the build needs (as root, Debian and Ubuntu)
deps:
	@sh tests/deps.sh $(call quote,$(PACKAGES))

test-deps:
	@sh tests/deps.sh $(call quote,$(TEST_PACKAGES))

# After the others, since only one can install. Without these, tests on other kernels are skipped.
kernel-deps: test-deps
	@sh tests/deps.sh $(call quote,$(KERNEL_PACKAGES)) || :

# All processors, unless -j was given.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc))

# What root built under sudo goes back to the owner of the tree, who builds here next.
give_back = if [ "$$(id -u)" = 0 ] && [ -d $(BUILD) ]; then chown -R --reference=Makefile $(BUILD); fi

##   run          as root: trace process PID, or a demo server if no PID is given; ARGS="..." are added
run:
	@[ "$$(id -u)" = 0 ] || { echo 'tracing needs root: sudo make run' >&2; exit 1; }
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(JOBS) all $(if $(PID),,demo)
	@$(give_back)
ifneq ($(PID),)
	@exec $(BUILD)/leaktrace -p $(PID) $(ARGS)
else
	@sh tests/demo.sh $(BUILD) $(ARGS)
endif

demo: $(BUILD)/victims/demo_server

# What does not build counts as one failed test; the others run.
tests-build:
	@mkdir -p $(BUILD)/test && : >$(BUILD)/test/build-failed
	@! $(MAKE) --no-print-directory $(JOBS) -k programs || rm $(BUILD)/test/build-failed

programs: all $(UNIT) $(VICTIMS) $(ALLOCATOR_VICTIMS) $(STACKS) $(BUILD)/golden fuzz-programs

run_tests = BPFTOOL='$(BPFTOOL)' FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTHON) tests/run_tests.py --build $(abspath $(BUILD)) \
	$(1); status=$$?; $(give_back); exit $$status

##   test         lint, unit, fuzz and end-to-end tests, some on other kernels (as root; installs what they need)
test: kernel-deps
	@$(MAKE) --no-print-directory tests-build
	@$(call run_tests,lint unit fuzz e2e kernels)

##   unit         unit tests only
unit: tests-build
	@$(call run_tests,unit)

##   e2e          end-to-end tests only (as root); TESTS="-k name" chooses
e2e: tests-build
	@$(call run_tests,e2e)

##   soak         unit tests, the slow end-to-end tests, tests on other kernels
soak: kernel-deps
	@$(MAKE) --no-print-directory tests-build
	@$(call run_tests,unit soak all-kernels)

##   test-kernels end-to-end tests on other kernels, in virtual machines (as root); KERNEL=6.1 chooses
test-kernels: kernel-deps
	@$(MAKE) --no-print-directory tests-build
	@$(call run_tests,all-kernels)

##   fuzz         feed readers of a target's files with nonsense, each for FUZZ_SECONDS
fuzz: fuzz-programs
	@$(call run_tests,fuzz)

##   lint         style, layering, sizes, documents that must agree
lint:
	@BPFTOOL='$(BPFTOOL)' $(PYTHON) tests/lint/lint.py --build $(BUILD)

# What the measuring scripts are told.
bench = LEAKTRACE=$(abspath $(BUILD)/leaktrace) LEAKTRACE_BUILD=$(abspath $(BUILD)) CC='$(CC)' BPFTOOL='$(BPFTOOL)' $(PYTHON)

##   bench        what tracing costs (as root)
bench: all $(BUILD)/places
	@$(bench) tests/bench/run.py $(ARGS) && $(bench) tests/bench/walks.py && $(bench) tests/bench/places.py; status=$$?; $(give_back); exit $$status

##   stacks       how many whole call stacks are right, by leaktrace's tables and by bpf_get_stack (as root)
stacks: all $(STACKS) $(VICTIMS) $(BUILD)/golden
	@$(bench) tests/bench/stacks.py $(ARGS); status=$$?; $(give_back); exit $$status

##   install      into $(DESTDIR)$(PREFIX): sbin/leaktrace and its man page
install: all
	install -D -m 755 $(BUILD)/leaktrace $(DESTDIR)$(PREFIX)/sbin/leaktrace
	$(if $(MAN),install -D -m 644 $(MAN) $(DESTDIR)$(PREFIX)/share/man/man8/leaktrace.8)

##   uninstall    remove exactly these
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/leaktrace $(DESTDIR)$(PREFIX)/share/man/man8/leaktrace.8

##   clean        remove what was built
clean:
	@rm -rf $(addprefix $(BUILD)/,allocators bench bpf fuzz gen golden places san stacks stamp test tests unit user victims leaktrace)
	@[ ! -d $(BUILD) ] || rmdir --ignore-fail-on-non-empty $(BUILD)

##   help         this list
help:
	@sed -n 's/^## //p' Makefile
	@echo 'Variables: BUILD=$(BUILD) PREFIX=$(PREFIX) DESTDIR CC CLANG BPFTOOL CFLAGS LDFLAGS; V=1 shows commands'
